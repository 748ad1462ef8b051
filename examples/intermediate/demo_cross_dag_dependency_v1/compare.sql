-- What the other DAG summed up, against what this run landed. Had it not waited, it would have found nothing.
select t.orders, t.amount, t.orders = l.orders and t.amount = l.amount as agree
from demo_cross_dag.total as t
inner join (
    select landed_by, count(*) as orders, sum(amount) as amount
    from demo_cross_dag.landed_order
    group by landed_by
) as l on l.landed_by = t.landed_by
where t.landed_by = %(run_id)s
