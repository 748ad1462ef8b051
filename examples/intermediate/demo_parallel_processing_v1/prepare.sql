-- Tables of this example alone: what the parallel tasks sum up, what is published, and what became of each run.
create schema if not exists demo_parallel_processing;

create table if not exists demo_parallel_processing.year_sum (
    year integer primary key,
    orders bigint not null,
    revenue numeric not null,
    map_index integer not null
);

create table if not exists demo_parallel_processing.cut_sum (
    cut text not null,
    name text not null,
    orders bigint not null,
    revenue numeric not null,
    primary key (cut, name)
);

create table if not exists demo_parallel_processing.published_year (
    year integer primary key,
    orders bigint not null,
    revenue numeric not null
);

create table if not exists demo_parallel_processing.outcome (
    run_id text primary key,
    outcome text not null check (outcome in ('published', 'set aside'))
);
