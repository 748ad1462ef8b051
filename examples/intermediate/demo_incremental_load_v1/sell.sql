-- The shop goes on selling: new orders, ...
insert into demo_incremental_load.shop_order (order_id, product_id, quantity, updated_at)
select known.highest + n, 1 + n % 50, 1 + n % 5, now()
from (select max(order_id) as highest from demo_incremental_load.shop_order) as known,
    generate_series(1, %(new_orders)s::integer) as n;

-- ... one order of a till that was offline for five minutes, so that its stamp is older than what was loaded last, ...
insert into demo_incremental_load.shop_order (order_id, product_id, quantity, updated_at)
select max(order_id) + 1, 1, 1, now() - interval '5 minutes'
from demo_incremental_load.shop_order;

-- ... and customers change their minds about three old ones.
update demo_incremental_load.shop_order
set quantity = quantity + 1, updated_at = now()
where order_id in (select order_id from demo_incremental_load.shop_order order by updated_at, order_id limit 3);
