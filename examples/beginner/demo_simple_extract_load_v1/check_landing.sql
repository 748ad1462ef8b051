-- What no single row shows: days without a sale, stores that fell silent, columns that drifted.
-- A retry of the task replaces what its earlier try wrote.
delete from ops.quality_check_result
where dag_id = %(dag_id)s and run_id = %(run_id)s and task_id = %(task_id)s and map_index = %(map_index)s;

create temporary table finding (
    check_name text, check_kind text, table_name text, column_name text, object_key text, observed jsonb,
    expected jsonb, message text
) on commit drop;

create temporary table sale_day on commit drop as
select store_code, day, count(*) as sales
from (
    select store_code, case when ops.is_valid_input(sold_on, 'date') then sold_on::date end as day
    from staging.sale
) as landed
where day is not null
group by store_code, day;

-- A day of the calendar between the first and the last day of the feed without any sale.
insert into finding
select
    'sale_days_complete', 'missing_day', 'staging.sale', 'sold_on', day::text, '{"sales": 0}', '{"sales": ">= 1"}',
    'No sale on ' || day || '.'
from source.calendar
where day between (select min(day) from sale_day) and (select max(day) from sale_day)
    and day not in (select day from sale_day);

-- A store with a share of the sales worth the name, whose last sale is long before everybody else's.
insert into finding
select
    'sale_partitions_fresh', 'stale_partition', 'staging.sale', 'sold_on', store.store_code,
    jsonb_build_object('last_day', store.last_day),
    jsonb_build_object('last_day', '>= ' || feed.last_day - %(stale_after_days)s),
    'Store ' || store.store_code || ' sold last on ' || store.last_day || ', the feed goes to ' || feed.last_day || '.'
from (select store_code, max(day) as last_day, sum(sales) as sales from sale_day group by store_code) as store
cross join (select max(day) as last_day, sum(sales) as sales from sale_day) as feed
where store.sales >= feed.sales * %(smallest_share)s
    and store.last_day < feed.last_day - %(stale_after_days)s;

-- Columns of the drifted feed beside those of staging.sale. A missing and an added column of one type, of which one
-- name holds the other, are one column renamed.
create temporary table drift on commit drop as
with known as (
    select column_name, data_type from information_schema.columns
    where table_schema = 'staging' and table_name = 'sale'
),
arrived as (
    select column_name, data_type from information_schema.columns
    where table_schema = 'staging' and table_name = 'sale_drift'
),
both_sides as (
    select
        known.column_name as known_name, known.data_type as known_type,
        arrived.column_name as arrived_name, arrived.data_type as arrived_type
    from known full join arrived using (column_name)
),
renamed as (
    select missing.known_name, missing.known_type, added.arrived_name
    from both_sides as missing join both_sides as added
        on missing.arrived_name is null and added.known_name is null and missing.known_type = added.arrived_type
        and (added.arrived_name like '%' || missing.known_name || '%'
             or missing.known_name like '%' || added.arrived_name || '%')
)
select 'renamed' as change, known_name as column_name, arrived_name as observed, known_name as expected from renamed
union all
select 'missing', known_name, null, known_type from both_sides
where arrived_name is null and known_name not in (select known_name from renamed)
union all
select 'added', arrived_name, arrived_type, null from both_sides
where known_name is null and arrived_name not in (select arrived_name from renamed)
union all
select 'type_changed', known_name, arrived_type, known_type from both_sides where known_type <> arrived_type;

insert into finding
select
    'sale_feed_schema', 'schema_drift', 'staging.sale_drift', column_name, change, to_jsonb(observed),
    to_jsonb(expected), 'Column ' || column_name || ': ' || replace(change, '_', ' ') || '.'
from drift;

insert into ops.quality_check_result (
    dag_id, run_id, task_id, map_index, try_number, check_name, check_kind, table_name, column_name, object_key,
    status, observed, expected, message
)
select
    %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s, %(try_number)s, asked.check_name, asked.check_kind,
    asked.table_name, finding.column_name, finding.object_key,
    case when finding.check_name is null then 'passed' else 'failed' end, finding.observed, finding.expected,
    finding.message
from (
    values
    ('sale_days_complete', 'missing_day', 'staging.sale'),
    ('sale_partitions_fresh', 'stale_partition', 'staging.sale'),
    ('sale_feed_schema', 'schema_drift', 'staging.sale_drift')
) as asked (check_name, check_kind, table_name)
left join finding using (check_name);

select check_kind, status, count(*) as results
from ops.quality_check_result
where dag_id = %(dag_id)s and run_id = %(run_id)s and task_id = %(task_id)s and map_index = %(map_index)s
group by check_kind, status
order by check_kind;
