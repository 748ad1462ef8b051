delete from demo_parallel_processing.cut_sum where cut = 'category';

insert into demo_parallel_processing.cut_sum (cut, name, orders, revenue)
select 'category', p.category, count(*), sum(s.quantity * s.unit_price)
from source.sale as s
inner join source.product as p on p.product_id = s.product_id
group by p.category;
