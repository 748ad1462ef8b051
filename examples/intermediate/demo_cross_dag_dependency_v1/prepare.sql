-- Tables of this example alone.
create schema if not exists demo_cross_dag;

create table if not exists demo_cross_dag.landed_order (
    landed_by text not null,
    order_id bigint not null,
    product_id bigint not null,
    amount numeric not null,
    primary key (landed_by, order_id)
);

create table if not exists demo_cross_dag.total (
    landed_by text primary key,
    orders bigint not null,
    amount numeric not null
);

create table if not exists demo_cross_dag.ranking (
    place integer primary key,
    product_id bigint not null,
    amount numeric not null,
    runs_seen bigint not null
);
