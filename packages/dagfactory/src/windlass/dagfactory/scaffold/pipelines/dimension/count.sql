-- How many versions there are, and how many of them hold today.
select count(*) as versions, count(*) filter (where is_current) as current_versions
from @@schema@@.dim_customer;
