-- One row for each landed row; those that break a constraint of the target are rejected, with every reason.
select order_id, ordered_on, quantity
from @@schema@@.landed_order
