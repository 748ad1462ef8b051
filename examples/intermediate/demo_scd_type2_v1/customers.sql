select customer_id, name, segment
from demo_scd_type2.crm_export
where day = %(day)s::date
