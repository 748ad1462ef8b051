-- The star: what analysts read. Its constraints are the rules that publishing audits rows against.

create schema warehouse;
comment on schema warehouse is 'The star: dimensions and facts with their constraints enforced.';

create table warehouse.dim_customer (
    customer_key bigint generated always as identity primary key with (fillfactor = 70),
    customer_id bigint not null,
    name text not null,
    email text not null,
    country_code text not null check (length(country_code) = 2),
    segment text not null check (segment in ('consumer', 'corporate', 'small_business')),
    valid_from timestamptz not null,
    valid_to timestamptz not null default 'infinity',
    is_current boolean not null,
    -- New versions go in between: room in the pages spares splitting them.
    constraint dim_customer_version unique (customer_id, valid_from) with (fillfactor = 70),
    constraint dim_customer_period check (valid_from < valid_to),
    constraint dim_customer_current_is_open check (is_current = (valid_to = 'infinity'))
);
comment on table warehouse.dim_customer is 'Customers with their history (slowly changing dimension, type 2): one row for each version.';
comment on column warehouse.dim_customer.customer_key is 'Surrogate key of this version.';
comment on column warehouse.dim_customer.customer_id is 'Key of the operational system, shared by all versions.';
comment on column warehouse.dim_customer.name is 'Full name.';
comment on column warehouse.dim_customer.email is 'E-mail address.';
comment on column warehouse.dim_customer.country_code is 'ISO 3166-1 alpha-2 code.';
comment on column warehouse.dim_customer.segment is 'Market segment.';
comment on column warehouse.dim_customer.valid_from is 'From when this version holds (inclusive).';
comment on column warehouse.dim_customer.valid_to is 'Until when this version holds (exclusive); infinity for the current one.';
comment on column warehouse.dim_customer.is_current is 'Whether this is the version that holds now.';
create unique index dim_customer_current on warehouse.dim_customer (customer_id) with (fillfactor = 70) where is_current;

create table warehouse.dim_product (
    product_key bigint generated always as identity primary key,
    product_id bigint not null unique,
    sku text not null,
    name text not null,
    category text not null,
    unit_price numeric(12, 2) not null check (unit_price >= 0)
);
comment on table warehouse.dim_product is 'Products as they are now (type 1).';
comment on column warehouse.dim_product.product_key is 'Surrogate key.';
comment on column warehouse.dim_product.product_id is 'Key of the operational system.';
comment on column warehouse.dim_product.sku is 'Stock-keeping unit.';
comment on column warehouse.dim_product.name is 'Name on the price tag.';
comment on column warehouse.dim_product.category is 'Category.';
comment on column warehouse.dim_product.unit_price is 'List price in euros.';

create table warehouse.dim_date (
    date_key integer primary key,
    day date not null unique,
    year integer not null,
    quarter integer not null check (quarter between 1 and 4),
    month integer not null check (month between 1 and 12),
    iso_week integer not null check (iso_week between 1 and 53),
    iso_weekday integer not null check (iso_weekday between 1 and 7),
    is_weekend boolean not null,
    is_holiday boolean not null,
    holiday_name text,
    constraint dim_date_key_is_day check (
        date_key = extract(year from day) * 10000 + extract(month from day) * 100 + extract(day from day)
    )
);
comment on table warehouse.dim_date is 'Calendar days.';
comment on column warehouse.dim_date.date_key is 'The day as a number, yyyymmdd.';
comment on column warehouse.dim_date.day is 'Calendar day.';
comment on column warehouse.dim_date.year is 'Calendar year.';
comment on column warehouse.dim_date.quarter is 'Quarter of the year, 1 to 4.';
comment on column warehouse.dim_date.month is 'Month of the year, 1 to 12.';
comment on column warehouse.dim_date.iso_week is 'ISO 8601 week, 1 to 53.';
comment on column warehouse.dim_date.iso_weekday is 'ISO 8601 weekday, 1 (Monday) to 7.';
comment on column warehouse.dim_date.is_weekend is 'Whether it is a Saturday or Sunday.';
comment on column warehouse.dim_date.is_holiday is 'Whether it is a public holiday.';
comment on column warehouse.dim_date.holiday_name is 'Name of the holiday; null on other days.';

create table warehouse.fact_sales (
    sale_source text not null check (sale_source in ('shop', 'web', 'partner')),
    sale_id bigint not null,
    date_key integer not null references warehouse.dim_date (date_key),
    customer_key bigint not null references warehouse.dim_customer (customer_key),
    product_key bigint not null references warehouse.dim_product (product_key),
    store_code text not null check (
        store_code in ('S01', 'S02', 'S03', 'S04', 'S05', 'S06', 'S07', 'S08', 'S09', 'S10', 'WEB', 'PARTNER')
    ),
    channel text not null check (channel in ('store', 'web', 'phone', 'partner')),
    quantity integer not null check (quantity between 1 and 100),
    unit_price numeric(12, 2) not null check (unit_price between 0.01 and 100000),
    amount numeric(14, 2) generated always as (quantity * unit_price) stored,
    receipt_number bigint not null,
    line_number integer not null,
    published_at timestamptz not null default now(),
    primary key (sale_source, sale_id),
    constraint fact_sales_receipt_line unique (sale_source, store_code, receipt_number, line_number)
);
comment on table warehouse.fact_sales is 'One row for each line of a receipt, from every source of sales.';
comment on column warehouse.fact_sales.sale_source is 'Which feed brought it: shop, web or partner.';
comment on column warehouse.fact_sales.sale_id is 'Key of the sale within its feed.';
comment on column warehouse.fact_sales.date_key is 'Day of the sale.';
comment on column warehouse.fact_sales.customer_key is 'Who bought, as the customer was on that day.';
comment on column warehouse.fact_sales.product_key is 'What was bought.';
comment on column warehouse.fact_sales.store_code is 'Where it was sold.';
comment on column warehouse.fact_sales.channel is 'How it was sold.';
comment on column warehouse.fact_sales.quantity is 'Pieces.';
comment on column warehouse.fact_sales.unit_price is 'Price of one piece in euros.';
comment on column warehouse.fact_sales.amount is 'Turnover in euros.';
comment on column warehouse.fact_sales.receipt_number is 'Number of the receipt within the store.';
comment on column warehouse.fact_sales.line_number is 'Line on the receipt.';
comment on column warehouse.fact_sales.published_at is 'When the row was published or last corrected.';
create index fact_sales_by_date on warehouse.fact_sales (date_key);

-- A corrected fact says when it was corrected, whoever corrects it; readers find what is new by it.

create function warehouse.stamp_published_at() returns trigger
language plpgsql
set search_path = pg_catalog
as $$
begin
    new.published_at := now();
    return new;
end
$$;
comment on function warehouse.stamp_published_at() is 'Sets published_at of a row that changes.';

-- Who sets the column, e.g. to restore a row, is left to it.
create trigger stamp_published_at
before update on warehouse.fact_sales
for each row
when (new.published_at is not distinct from old.published_at)
execute function warehouse.stamp_published_at();
comment on trigger stamp_published_at on warehouse.fact_sales is 'Keeps published_at true when a row is corrected.';
