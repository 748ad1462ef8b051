-- All cuts of the same orders must have the same sums; a task that lost or doubled something shows here.
with sums as (
    select 'year' as cut, sum(orders) as orders, sum(revenue) as revenue
    from demo_parallel_processing.year_sum
    union all
    select cut, sum(orders), sum(revenue)
    from demo_parallel_processing.cut_sum
    group by cut
)
select
    count(*) = 3 and min(orders) = max(orders) and min(revenue) = max(revenue) as agree,
    min(orders)::bigint as orders
from sums
