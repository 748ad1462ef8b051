-- A shop's order system, and the table its orders are landed in. Both belong to this example alone.
create schema if not exists demo_incremental_load;

create table if not exists demo_incremental_load.shop_order (
    order_id bigint primary key,
    product_id bigint not null,
    quantity integer not null,
    updated_at timestamptz not null,
    -- Its index makes the cost of a load follow its new rows, not the table. Made with the table: a
    -- `create index if not exists` would wait in each run for whoever is writing orders.
    unique (updated_at, order_id)
);

create table if not exists demo_incremental_load.landed_order (
    order_id bigint primary key,
    product_id bigint not null,
    quantity integer not null,
    updated_at timestamptz not null
);

-- The orders of the years before, once.
insert into demo_incremental_load.shop_order (order_id, product_id, quantity, updated_at)
select sale_id, product_id, quantity, updated_at
from source.sale
where not exists (select from demo_incremental_load.shop_order);
