select order_id, product_id, quantity, updated_at
from demo_incremental_load.shop_order
