-- All rows with the column updated_at: the operator reads only those that are new or changed since the last run.
select order_id, quantity, updated_at
from @@schema@@.source_order
