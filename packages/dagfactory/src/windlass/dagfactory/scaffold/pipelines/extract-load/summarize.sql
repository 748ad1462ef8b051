-- Orders by day, as they are now.
delete from @@schema@@.order_day;

insert into @@schema@@.order_day (day, orders, amount)
select ordered_on, count(*), sum(amount)
from @@schema@@.landed_order
group by ordered_on;
