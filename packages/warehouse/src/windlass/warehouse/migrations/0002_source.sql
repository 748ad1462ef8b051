-- A small operational system to extract from: clean, its keys and constraints enforced.

create schema source;
comment on schema source is 'A small operational system to extract from: customers, products, calendar, the web shop''s orders.';

create table source.customer (
    customer_id bigint primary key,
    name text not null,
    email text not null,
    country_code text not null check (length(country_code) = 2),
    segment text not null check (segment in ('consumer', 'corporate', 'small_business')),
    created_at timestamptz not null,
    updated_at timestamptz not null
);
comment on table source.customer is 'Customers as they are now.';
comment on column source.customer.customer_id is 'Key of the operational system.';
comment on column source.customer.name is 'Full name.';
comment on column source.customer.email is 'E-mail address.';
comment on column source.customer.country_code is 'ISO 3166-1 alpha-2 code.';
comment on column source.customer.segment is 'consumer, corporate or small_business.';
comment on column source.customer.created_at is 'When the customer was entered.';
comment on column source.customer.updated_at is 'When the row last changed: the watermark for incremental extraction.';
create index customer_updated_at on source.customer (updated_at);

create table source.product (
    product_id bigint primary key,
    sku text not null unique,
    name text not null,
    category text not null check (
        category in (
            'beauty', 'books', 'clothing', 'electronics', 'garden', 'grocery', 'home', 'office', 'sports', 'toys'
        )
    ),
    unit_price numeric(12, 2) not null check (unit_price >= 0),
    updated_at timestamptz not null
);
comment on table source.product is 'Products as they are now.';
comment on column source.product.product_id is 'Key of the operational system.';
comment on column source.product.sku is 'Stock-keeping unit.';
comment on column source.product.name is 'Name on the price tag.';
comment on column source.product.category is 'One of ten categories.';
comment on column source.product.unit_price is 'List price in euros.';
comment on column source.product.updated_at is 'When the row last changed: the watermark for incremental extraction.';
create index product_updated_at on source.product (updated_at);

create table source.calendar (
    day date primary key,
    is_holiday boolean not null,
    holiday_name text
);
comment on table source.calendar is 'The days of five years, 2021 to 2025, with public holidays.';
comment on column source.calendar.day is 'Calendar day.';
comment on column source.calendar.is_holiday is 'Whether shops are closed.';
comment on column source.calendar.holiday_name is 'Name of the holiday; null on other days.';

create table source.sale (
    sale_id bigint primary key,
    sold_on date not null,
    customer_id bigint not null references source.customer (customer_id),
    product_id bigint not null references source.product (product_id),
    store_code text not null,
    channel text not null check (channel in ('store', 'web', 'phone', 'partner')),
    quantity integer not null check (quantity between 1 and 100),
    unit_price numeric(12, 2) not null check (unit_price between 0.01 and 100000),
    receipt_number bigint not null,
    line_number integer not null check (line_number >= 1),
    updated_at timestamptz not null,
    constraint sale_receipt_line unique (store_code, receipt_number, line_number)
);
comment on table source.sale is 'Order lines of the web shop.';
comment on column source.sale.sale_id is 'Key of the operational system.';
comment on column source.sale.sold_on is 'Day of the sale.';
comment on column source.sale.customer_id is 'Who bought.';
comment on column source.sale.product_id is 'What was bought.';
comment on column source.sale.store_code is 'Where it was sold; WEB for the web shop.';
comment on column source.sale.channel is 'How it was sold: store, web, phone or partner.';
comment on column source.sale.quantity is 'Pieces.';
comment on column source.sale.unit_price is 'Price of one piece in euros.';
comment on column source.sale.receipt_number is 'Number of the receipt within the store.';
comment on column source.sale.line_number is 'Line on the receipt, from 1.';
comment on column source.sale.updated_at is 'When the row last changed: the watermark for incremental extraction.';
create index sale_updated_at on source.sale (updated_at);
