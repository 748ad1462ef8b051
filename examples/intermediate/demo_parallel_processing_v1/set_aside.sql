insert into demo_parallel_processing.outcome (run_id, outcome)
values (%(run_id)s, 'set aside')
on conflict (run_id) do update set outcome = excluded.outcome;
