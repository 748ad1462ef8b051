-- A shop's order system, and the table its orders are landed in. Both belong to this example alone.
create schema if not exists demo_incremental_load;

create table if not exists demo_incremental_load.shop_order (
    order_id bigint primary key,
    product_id bigint not null,
    quantity integer not null,
    updated_at timestamptz not null
);
-- What makes the cost of a load follow its new rows, not the table.
create index if not exists shop_order_by_updated_at on demo_incremental_load.shop_order (updated_at);

create table if not exists demo_incremental_load.landed_order (
    order_id bigint primary key,
    product_id bigint not null,
    quantity integer not null,
    updated_at timestamptz not null
);

-- The orders of the years before, once.
insert into demo_incremental_load.shop_order (order_id, product_id, quantity, updated_at)
select sale_id, product_id, quantity, updated_at
from source.sale
where not exists (select from demo_incremental_load.shop_order);
