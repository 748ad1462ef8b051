insert into demo_cross_dag.total (landed_by, orders, amount)
select %(landed_by)s, count(*), coalesce(sum(amount), 0)
from demo_cross_dag.landed_order
where landed_by = %(landed_by)s
on conflict (landed_by) do update set orders = excluded.orders, amount = excluded.amount;
