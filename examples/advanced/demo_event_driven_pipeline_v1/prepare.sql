-- A table of this example alone: what the supplier delivered.
create schema if not exists demo_event_driven;

create table if not exists demo_event_driven.delivered_sale (
    delivery text not null,
    line integer not null,
    product_id bigint not null,
    quantity integer not null check (quantity > 0)
);
