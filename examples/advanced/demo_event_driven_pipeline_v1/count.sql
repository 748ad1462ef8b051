-- Each line of each delivery is there once, or it was loaded twice.
select
    count(*) as lines,
    count(distinct (delivery, line)) as different_lines,
    count(distinct delivery) as deliveries
from demo_event_driven.delivered_sale
