select customer_id, name, segment, valid_from::date::text as valid_from, valid_to::text as valid_to, is_current
from demo_scd_type2.dim_customer
where customer_id < 1000
order by customer_id, dim_customer.valid_from;
