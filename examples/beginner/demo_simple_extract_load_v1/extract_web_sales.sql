-- Order lines of the web shop since the first day of the warehouse, a parameter in dag.json.
select
    sale_id, sold_on, customer_id, product_id, store_code, channel, quantity, unit_price, receipt_number,
    line_number, updated_at
from source.sale
where sold_on >= %(first_day)s
order by sale_id
