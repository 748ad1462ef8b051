-- A source to try with, and the dimension; running it again changes nothing. Drop the source when yours is there.
create schema if not exists @@schema@@;

create table if not exists @@schema@@.customer (
    customer_id bigint primary key,
    name text not null,
    segment text
);

create table if not exists @@schema@@.dim_customer (
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

insert into @@schema@@.customer (customer_id, name, segment)
select n, 'Customer ' || n, case when n % 3 = 0 then 'corporate' else 'consumer' end
from generate_series(1, 100) as n
where not exists (select from @@schema@@.customer);
