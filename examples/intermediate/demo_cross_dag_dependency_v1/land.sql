delete from demo_cross_dag.landed_order where landed_by = %(run_id)s;

insert into demo_cross_dag.landed_order (landed_by, order_id, product_id, amount)
select %(run_id)s, sale_id, product_id, quantity * unit_price
from source.sale
where sale_id % 10 = 0;
