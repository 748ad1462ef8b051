select o.outcome, count(y.year) as years, sum(y.orders)::bigint as orders, sum(y.revenue) as revenue
from demo_parallel_processing.outcome as o
left join demo_parallel_processing.published_year as y on true
where o.run_id = %(run_id)s
group by o.outcome
