-- Customers as they are now. Columns are matched to the table's by name.
select customer_id, name, email, country_code, segment, created_at, updated_at
from source.customer
