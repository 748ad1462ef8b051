-- Tables of this pipeline alone; running it again changes nothing.
create schema if not exists @@schema@@;

create table if not exists @@schema@@.landed_order (
    order_id bigint primary key,
    ordered_on date not null,
    quantity integer not null,
    amount numeric(12, 2) not null
);

create table if not exists @@schema@@.order_day (
    day date primary key,
    orders bigint not null,
    amount numeric(14, 2) not null
);
