-- What is to be loaded: put your query in its place. A few rows are wrong on purpose.
select
    n as order_id,
    case when n % 50 <> 0 then date '2026-01-01' + n % 28 end as ordered_on,
    case when n % 70 = 0 then -1 else 1 + n % 5 end as quantity
from generate_series(1, 1000) as n
