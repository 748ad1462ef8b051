-- One row for each landed row, in order of arrival; the constraints of warehouse.fact_sales judge them.
select
    'web' as sale_source, sale_id, sold_on, customer_id, product_id, store_code, channel, quantity, unit_price,
    receipt_number, line_number
from staging.web_sale
order by sale_id
