-- A source to try with, and the table to load; running it again changes nothing. Drop the source when yours is there.
create schema if not exists @@schema@@;

create table if not exists @@schema@@.source_order (
    order_id bigint primary key,
    quantity integer not null,
    updated_at timestamptz not null,
    -- Lets the cost of a load follow its new rows, not the table.
    unique (updated_at, order_id)
);

create table if not exists @@schema@@.landed_order (
    order_id bigint primary key,
    quantity integer not null,
    updated_at timestamptz not null
);

insert into @@schema@@.source_order (order_id, quantity, updated_at)
select n, 1 + n % 5, now() - n * interval '1 minute'
from generate_series(1, 1000) as n
where not exists (select from @@schema@@.source_order);
