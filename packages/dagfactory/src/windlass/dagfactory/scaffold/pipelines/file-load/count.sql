-- How many rows have landed, by day.
select ordered_on, count(*) as orders
from @@schema@@.landed_order
group by ordered_on
order by ordered_on;
