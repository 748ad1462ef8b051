-- One row for each table and view of the schemas asked for, with all that a reader wants to know of it, as JSON.
-- Partitions are left out: their parent stands for them.
with
wanted as materialized (
    select s.oid, s.nspname, obj_description(s.oid, 'pg_namespace') as note
    from pg_namespace as s
    where s.nspname <> 'information_schema' and s.nspname !~ '^pg_'
        and (%(schemas)s::text[] is null or s.nspname = any (%(schemas)s::text[]))
),
key as materialized (
    select
        k.conrelid, k.contype, k.conname, k.confrelid, pg_get_constraintdef(k.oid) as definition,
        (
            select jsonb_agg(a.attname order by u.place)
            from unnest(k.conkey) with ordinality as u (number, place)
            join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.number
        ) as columns,
        (
            select jsonb_agg(a.attname order by u.place)
            from unnest(k.confkey) with ordinality as u (number, place)
            join pg_attribute as a on a.attrelid = k.confrelid and a.attnum = u.number
        ) as target_columns
    from pg_constraint as k
    where k.contype in ('p', 'u', 'f', 'c') and k.connamespace in (select oid from wanted)
)
select
    w.nspname, w.note, c.relname,
    case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
    obj_description(c.oid, 'pg_class'),
    (
        select jsonb_agg(
            jsonb_build_object(
                'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'nullable', not a.attnotnull,
                'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
                'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
                'is_identity', a.attidentity <> '', 'comment', col_description(c.oid, a.attnum)
            ) order by a.attnum
        )
        from pg_attribute as a
        left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ),
    (select jsonb_agg(k.columns) from key as k where k.conrelid = c.oid and k.contype = 'p'),
    (select jsonb_agg(k.columns order by k.conname) from key as k where k.conrelid = c.oid and k.contype = 'u'),
    (select jsonb_agg(k.definition order by k.conname) from key as k where k.conrelid = c.oid and k.contype = 'c'),
    (
        select jsonb_agg(
            jsonb_build_object(
                'columns', k.columns, 'schema', s.nspname, 'table', t.relname, 'target_columns', k.target_columns
            ) order by k.conname
        )
        from key as k
        join pg_class as t on t.oid = k.confrelid
        join pg_namespace as s on s.oid = t.relnamespace
        where k.conrelid = c.oid and k.contype = 'f'
    )
from wanted as w
left join pg_class as c
    on c.relnamespace = w.oid and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    and not exists (
        select from pg_depend as b where b.classid = 'pg_class'::regclass and b.objid = c.oid and b.deptype = 'e'
    )
order by w.nspname, c.relname
