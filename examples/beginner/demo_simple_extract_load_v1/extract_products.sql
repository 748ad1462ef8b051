select product_id, sku, name, category, unit_price, updated_at
from source.product
