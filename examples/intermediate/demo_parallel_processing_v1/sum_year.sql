-- One mapped task a year. Each writes its own row and no other: they run at the same time, and again, without harm.
insert into demo_parallel_processing.year_sum (year, orders, revenue, map_index)
select %(year)s::integer, count(*), coalesce(sum(quantity * unit_price), 0), %(map_index)s
from source.sale
where sold_on >= make_date(%(year)s::integer, 1, 1) and sold_on < make_date(%(year)s::integer + 1, 1, 1)
on conflict (year) do update
set orders = excluded.orders, revenue = excluded.revenue, map_index = excluded.map_index;
