select distinct extract(year from sold_on)::integer as year
from source.sale
order by year
