-- All customers as they are now. What has changed since the last run begins a version; who is gone has an end.
select customer_id, name, segment
from @@schema@@.customer
