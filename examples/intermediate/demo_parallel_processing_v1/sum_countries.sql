delete from demo_parallel_processing.cut_sum where cut = 'country';

insert into demo_parallel_processing.cut_sum (cut, name, orders, revenue)
select 'country', c.country_code, count(*), sum(s.quantity * s.unit_price)
from source.sale as s
inner join source.customer as c on c.customer_id = s.customer_id
group by c.country_code;
