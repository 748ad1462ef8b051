-- Landing tables as data comes: no key, no constraint, text wherever something broken can arrive.

create schema staging;
comment on schema staging is 'Landing tables: rows as they came, with everything that is wrong with them.';

create table staging.customer (
    customer_id bigint,
    name text,
    email text,
    country_code text,
    segment text,
    created_at timestamptz,
    updated_at timestamptz
);
comment on table staging.customer is 'Customers as extracted from source.customer.';
comment on column staging.customer.customer_id is 'Key of the operational system.';
comment on column staging.customer.name is 'Full name.';
comment on column staging.customer.email is 'E-mail address.';
comment on column staging.customer.country_code is 'ISO 3166-1 alpha-2 code.';
comment on column staging.customer.segment is 'Market segment.';
comment on column staging.customer.created_at is 'When the customer was entered.';
comment on column staging.customer.updated_at is 'When the row last changed.';

create table staging.product (
    product_id bigint,
    sku text,
    name text,
    category text,
    unit_price numeric(12, 2),
    updated_at timestamptz
);
comment on table staging.product is 'Products as extracted from source.product.';
comment on column staging.product.product_id is 'Key of the operational system.';
comment on column staging.product.sku is 'Stock-keeping unit.';
comment on column staging.product.name is 'Name on the price tag.';
comment on column staging.product.category is 'Category.';
comment on column staging.product.unit_price is 'List price in euros.';
comment on column staging.product.updated_at is 'When the row last changed.';

create table staging.calendar (
    day date,
    is_holiday boolean,
    holiday_name text
);
comment on table staging.calendar is 'Days as extracted from source.calendar.';
comment on column staging.calendar.day is 'Calendar day.';
comment on column staging.calendar.is_holiday is 'Whether shops are closed.';
comment on column staging.calendar.holiday_name is 'Name of the holiday.';

create table staging.web_sale (
    sale_id bigint,
    sold_on date,
    customer_id bigint,
    product_id bigint,
    store_code text,
    channel text,
    quantity integer,
    unit_price numeric(12, 2),
    receipt_number bigint,
    line_number integer,
    updated_at timestamptz
);
comment on table staging.web_sale is 'Order lines as extracted from source.sale.';
comment on column staging.web_sale.sale_id is 'Key of the operational system.';
comment on column staging.web_sale.sold_on is 'Day of the sale.';
comment on column staging.web_sale.customer_id is 'Who bought.';
comment on column staging.web_sale.product_id is 'What was bought.';
comment on column staging.web_sale.store_code is 'Where it was sold.';
comment on column staging.web_sale.channel is 'How it was sold.';
comment on column staging.web_sale.quantity is 'Pieces.';
comment on column staging.web_sale.unit_price is 'Price of one piece in euros.';
comment on column staging.web_sale.receipt_number is 'Number of the receipt within the store.';
comment on column staging.web_sale.line_number is 'Line on the receipt.';
comment on column staging.web_sale.updated_at is 'When the row last changed.';

create table staging.sale (
    landing_id bigint,
    sale_id bigint,
    sold_on text,
    customer_id bigint,
    product_id bigint,
    store_code text,
    channel text,
    quantity text,
    unit_price text,
    receipt_number bigint,
    line_number integer,
    loaded_at timestamptz
);
comment on table staging.sale is 'Sales of the stores as they came, intentional problems among them.';
comment on column staging.sale.landing_id is 'Position of arrival, from 1.';
comment on column staging.sale.sale_id is 'Key the sender gave the sale; copies share it.';
comment on column staging.sale.sold_on is 'Day of the sale as it arrived.';
comment on column staging.sale.customer_id is 'Who bought; may be missing or unknown.';
comment on column staging.sale.product_id is 'What was bought; may be missing or unknown.';
comment on column staging.sale.store_code is 'Where it was sold, as it arrived.';
comment on column staging.sale.channel is 'How it was sold, as it arrived.';
comment on column staging.sale.quantity is 'Pieces, as they arrived.';
comment on column staging.sale.unit_price is 'Price of one piece in euros, as it arrived.';
comment on column staging.sale.receipt_number is 'Number of the receipt within the store.';
comment on column staging.sale.line_number is 'Line on the receipt.';
comment on column staging.sale.loaded_at is 'When the row was landed.';

create table staging.partner_sale (
    sale_id bigint,
    sold_on text,
    customer_id bigint,
    product_id bigint,
    store_code text,
    channel text,
    quantity text,
    unit_price text,
    receipt_number bigint,
    line_number integer
);
comment on table staging.partner_sale is 'Sales reported by partners in files, as they came.';
comment on column staging.partner_sale.sale_id is 'Key the sender gave the sale; copies share it.';
comment on column staging.partner_sale.sold_on is 'Day of the sale as it arrived.';
comment on column staging.partner_sale.customer_id is 'Who bought; may be missing or unknown.';
comment on column staging.partner_sale.product_id is 'What was bought; may be missing or unknown.';
comment on column staging.partner_sale.store_code is 'Where it was sold, as it arrived.';
comment on column staging.partner_sale.channel is 'How it was sold, as it arrived.';
comment on column staging.partner_sale.quantity is 'Pieces, as they arrived.';
comment on column staging.partner_sale.unit_price is 'Price of one piece in euros, as it arrived.';
comment on column staging.partner_sale.receipt_number is 'Number of the receipt within the store.';
comment on column staging.partner_sale.line_number is 'Line on the receipt.';

create table staging.sale_drift (
    landing_id bigint,
    sale_id bigint,
    sold_on text,
    customer_id bigint,
    product_id bigint,
    store_code text,
    sales_channel text,
    quantity text,
    unit_price text,
    receipt_number text,
    discount_code text,
    loaded_at timestamptz
);
comment on table staging.sale_drift is 'A feed of staging.sale whose columns drifted: one renamed, one of another type, one missing, one added.';
comment on column staging.sale_drift.landing_id is 'Position of arrival, from 1.';
comment on column staging.sale_drift.sale_id is 'Key the sender gave the sale; copies share it.';
comment on column staging.sale_drift.sold_on is 'Day of the sale as it arrived.';
comment on column staging.sale_drift.customer_id is 'Who bought; may be missing or unknown.';
comment on column staging.sale_drift.product_id is 'What was bought; may be missing or unknown.';
comment on column staging.sale_drift.store_code is 'Where it was sold, as it arrived.';
comment on column staging.sale_drift.sales_channel is 'Drifted: the column channel under another name.';
comment on column staging.sale_drift.quantity is 'Pieces, as they arrived.';
comment on column staging.sale_drift.unit_price is 'Price of one piece in euros, as it arrived.';
comment on column staging.sale_drift.receipt_number is 'Drifted: text here, bigint in staging.sale.';
comment on column staging.sale_drift.discount_code is 'Drifted: unknown to staging.sale.';
comment on column staging.sale_drift.loaded_at is 'When the row was landed.';
