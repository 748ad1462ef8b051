-- Rows land as they come; the constraints of the published table say what is right. Running it again changes nothing.
create schema if not exists @@schema@@;

create table if not exists @@schema@@.landed_order (
    order_id bigint,
    ordered_on date,
    quantity integer
);

create table if not exists @@schema@@.published_order (
    order_id bigint primary key,
    ordered_on date not null,
    quantity integer not null constraint quantity_is_positive check (quantity > 0)
);
