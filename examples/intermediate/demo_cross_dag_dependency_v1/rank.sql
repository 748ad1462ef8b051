delete from demo_cross_dag.ranking;

insert into demo_cross_dag.ranking (place, product_id, amount, runs_seen)
select row_number() over (order by sum(amount) desc, product_id), product_id, sum(amount),
    (select count(distinct landed_by) from demo_cross_dag.landed_order)
from demo_cross_dag.landed_order
group by product_id;
