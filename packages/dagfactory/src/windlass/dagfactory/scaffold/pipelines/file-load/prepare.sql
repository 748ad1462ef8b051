-- The table to load; running it again changes nothing.
create schema if not exists @@schema@@;

create table if not exists @@schema@@.landed_order (
    order_id bigint primary key,
    ordered_on date not null,
    quantity integer not null
);
