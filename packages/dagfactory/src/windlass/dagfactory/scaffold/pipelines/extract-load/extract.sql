-- What is to be loaded: put your query in its place. It runs on the warehouse itself, or where source_conn_id in
-- dag.json says. Columns are matched to the table's by name.
select
    n as order_id,
    date '2026-01-01' + n % 28 as ordered_on,
    1 + n % 5 as quantity,
    (1 + n % 5) * 9.90 as amount
from generate_series(1, 1000) as n
