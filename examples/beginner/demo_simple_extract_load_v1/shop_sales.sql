-- One row for each landed row, in order of arrival; the constraints of warehouse.fact_sales judge them.
select
    'shop' as sale_source, sale_id, sold_on, customer_id, product_id, store_code, channel, quantity, unit_price,
    receipt_number, line_number
from staging.sale
order by landing_id
