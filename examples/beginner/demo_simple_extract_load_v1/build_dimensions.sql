-- Days: upserted, because holidays are announced late.
insert into warehouse.dim_date (
    date_key, day, year, quarter, month, iso_week, iso_weekday, is_weekend, is_holiday, holiday_name
)
select
    (extract(year from day) * 10000 + extract(month from day) * 100 + extract(day from day))::integer, day,
    extract(year from day)::integer, extract(quarter from day)::integer, extract(month from day)::integer,
    extract(week from day)::integer, extract(isodow from day)::integer, extract(isodow from day) >= 6,
    is_holiday, holiday_name
from source.calendar
on conflict (date_key) do update set is_holiday = excluded.is_holiday, holiday_name = excluded.holiday_name
where (dim_date.is_holiday, dim_date.holiday_name) is distinct from (excluded.is_holiday, excluded.holiday_name);

-- Products: as they are now (type 1).
insert into warehouse.dim_product (product_id, sku, name, category, unit_price)
select product_id, sku, name, category, unit_price
from staging.product
on conflict (product_id) do update set
    sku = excluded.sku, name = excluded.name, category = excluded.category, unit_price = excluded.unit_price
where (dim_product.sku, dim_product.name, dim_product.category, dim_product.unit_price)
    is distinct from (excluded.sku, excluded.name, excluded.category, excluded.unit_price);

-- Customers: every version is kept (type 2). First the current versions of those that changed are closed ...
update warehouse.dim_customer as version
set
    valid_to = greatest(landed.updated_at, version.valid_from + interval '1 microsecond'),
    is_current = false
from staging.customer as landed
where version.is_current
    and version.customer_id = landed.customer_id
    and (version.name, version.email, version.country_code, version.segment)
    is distinct from (landed.name, landed.email, landed.country_code, landed.segment);

-- ... and of those that are gone ...
update warehouse.dim_customer as version
set valid_to = greatest(now(), version.valid_from + interval '1 microsecond'), is_current = false
where version.is_current
    and not exists (select from staging.customer as landed where landed.customer_id = version.customer_id);

-- ... then whoever has no current version gets one. The first version covers all sales before the customer was known.
insert into warehouse.dim_customer (customer_id, name, email, country_code, segment, valid_from, is_current)
select
    landed.customer_id, landed.name, landed.email, landed.country_code, landed.segment,
    coalesce(
        (select max(past.valid_to) from warehouse.dim_customer as past where past.customer_id = landed.customer_id),
        '-infinity'
    ),
    true
from staging.customer as landed
where not exists (
    select from warehouse.dim_customer as version
    where version.customer_id = landed.customer_id and version.is_current
);
