-- Exports of a CRM, one a day, and the dimension that keeps their history. Both belong to this example alone.
create schema if not exists demo_scd_type2;

create table if not exists demo_scd_type2.crm_export (
    day date not null,
    customer_id bigint not null,
    name text not null,
    segment text,
    primary key (day, customer_id)
);

create table if not exists demo_scd_type2.dim_customer (
    customer_key bigint generated always as identity primary key,
    customer_id bigint not null,
    name text not null,
    segment text,
    valid_from timestamptz not null,
    valid_to timestamptz not null default 'infinity',
    is_current boolean not null,
    unique (customer_id, valid_from),
    check (valid_from < valid_to)
);

insert into demo_scd_type2.crm_export (day, customer_id, name, segment)
values
    -- Ann never changes.
    ('2026-01-05', 1, 'Ann', 'consumer'), ('2026-01-06', 1, 'Ann', 'consumer'), ('2026-01-07', 1, 'Ann', 'consumer'),
    -- Bea is corporate on Tuesday only.
    ('2026-01-05', 2, 'Bea', 'consumer'), ('2026-01-06', 2, 'Bea', 'corporate'), ('2026-01-07', 2, 'Bea', 'consumer'),
    -- Carl is gone on Tuesday and back on Wednesday.
    ('2026-01-05', 3, 'Carl', 'consumer'), ('2026-01-07', 3, 'Carl', 'consumer'),
    -- Dora is gone for good.
    ('2026-01-05', 4, 'Dora', 'consumer'),
    -- Emil comes on Tuesday, and his segment is forgotten on Wednesday.
    ('2026-01-06', 5, 'Emil', 'corporate'), ('2026-01-07', 5, 'Emil', null)
on conflict do nothing;

-- A thousand who stay as they are, so that there is something to compare.
insert into demo_scd_type2.crm_export (day, customer_id, name, segment)
select day::date, 1000 + n, 'Customer ' || n, 'consumer'
from generate_series('2026-01-05'::date, '2026-01-07', '1 day') as day, generate_series(1, 1000) as n
on conflict do nothing;
