delete from demo_parallel_processing.published_year;

insert into demo_parallel_processing.published_year (year, orders, revenue)
select year, orders, revenue from demo_parallel_processing.year_sum;

insert into demo_parallel_processing.outcome (run_id, outcome)
values (%(run_id)s, 'published')
on conflict (run_id) do update set outcome = excluded.outcome;
