-- Every object of a database that is the user's, with what defines it: kind, schema, name, parent, properties.
-- Left out are the system's schemas, what extensions bring, and what another object brings along and describes:
-- indexes of constraints, sequences of identity columns, triggers of foreign keys, row types of tables, and
-- NOT NULL constraints, which are a column's property on every version.
with
space as (
    select oid, nspname
    from pg_namespace
    where nspname <> 'information_schema' and nspname !~ '^pg_'
),
-- Once, hashed: joined as subquery of each object this would be most of the time.
brought as materialized (
    select distinct classid, objid from pg_depend where deptype = 'e'
),
note as materialized (
    select classoid, objoid, objsubid, description from pg_description
),
relation as materialized (
    select c.*, s.nspname, c.relkind = 'v' or c.relkind = 'm' as is_view
    from pg_class as c
    join space as s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and not exists (
            select from brought as b where b.classid = 'pg_class'::regclass and b.objid = c.oid
        )
),
found (kind, schema_name, name, parent, classid, objid, subid, properties) as (
    select 'schema', s.nspname, quote_ident(s.nspname), null, 'pg_namespace'::regclass, s.oid, 0, '{}'::jsonb
    from space as s
    where not exists (
        select from brought as b where b.classid = 'pg_namespace'::regclass and b.objid = s.oid
    )

    union all
    select
        'extension', s.nspname, quote_ident(e.extname), null, 'pg_extension'::regclass, e.oid, 0, '{}'::jsonb
    from pg_extension as e
    join pg_namespace as s on s.oid = e.extnamespace
    where e.extname <> 'plpgsql'

    union all
    select
        case r.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
        r.nspname, r.oid::regclass::text, null, 'pg_class'::regclass, r.oid, 0,
        case
            when r.is_view then jsonb_build_object('definition', pg_get_viewdef(r.oid))
            when r.relkind = 'S' then jsonb_build_object(
                'type', format_type(q.seqtypid, null), 'start', q.seqstart, 'increment', q.seqincrement,
                'minimum', q.seqmin, 'maximum', q.seqmax, 'cycle', q.seqcycle
            )
            else jsonb_build_object(
                'storage', case r.relkind when 'f' then 'foreign' when 'p' then 'partitioned' else 'plain' end,
                'partitioned by', pg_get_partkeydef(r.oid),
                'partition', pg_get_expr(r.relpartbound, r.oid),
                'inherits', (
                    select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
                    from pg_inherits as i where i.inhrelid = r.oid
                ),
                'row security', r.relrowsecurity
            )
        end || jsonb_build_object(
            'logged', r.relpersistence <> 'u', 'options', array_to_string(r.reloptions, ', ')
        )
    from relation as r
    left join pg_sequence as q on q.seqrelid = r.oid
    where not exists (
        select from pg_depend as d
        where r.relkind = 'S' and d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype = 'i'
    )

    union all
    select
        'column', r.nspname, r.oid::regclass::text || '.' || quote_ident(a.attname), r.oid::regclass::text,
        'pg_class'::regclass, r.oid, a.attnum,
        jsonb_build_object(
            'type', format_type(a.atttypid, a.atttypmod),
            'nullable', not a.attnotnull,
            'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
            'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
            'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
            'collation', case when a.attcollation <> t.typcollation then a.attcollation::regcollation::text end
        )
    from relation as r
    join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as t on t.oid = a.atttypid
    left join pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum
    where r.relkind <> 'S'

    union all
    select
        'constraint', s.nspname,
        coalesce(r.oid::regclass::text, c.contypid::regtype::text) || '.' || quote_ident(c.conname),
        coalesce(r.oid::regclass::text, c.contypid::regtype::text),
        'pg_constraint'::regclass, c.oid, 0,
        jsonb_build_object('definition', pg_get_constraintdef(c.oid))
    from pg_constraint as c
    join space as s on s.oid = c.connamespace
    left join relation as r on r.oid = c.conrelid
    where c.contype in ('p', 'u', 'c', 'f', 'x') and c.conparentid = 0
        and (r.oid is not null or c.conrelid = 0)
        and not exists (
            select from brought as b where b.classid = 'pg_type'::regclass and b.objid = c.contypid
        )

    union all
    select
        'index', r.nspname, i.indexrelid::regclass::text, r.oid::regclass::text,
        'pg_class'::regclass, i.indexrelid, 0,
        jsonb_build_object('definition', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid)
    from pg_index as i
    join relation as r on r.oid = i.indrelid
    where not exists (
        select from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
            and d.refclassid = 'pg_constraint'::regclass and d.deptype = 'i'
    )

    union all
    select
        'trigger', r.nspname, r.oid::regclass::text || '.' || quote_ident(t.tgname), r.oid::regclass::text,
        'pg_trigger'::regclass, t.oid, 0,
        jsonb_build_object(
            'definition', pg_get_triggerdef(t.oid),
            'enabled', case t.tgenabled
                when 'O' then 'yes' when 'D' then 'no' when 'R' then 'on replicas' else 'always' end
        )
    from pg_trigger as t
    join relation as r on r.oid = t.tgrelid
    where not t.tgisinternal

    union all
    select
        'rule', r.nspname, r.oid::regclass::text || '.' || quote_ident(w.rulename), r.oid::regclass::text,
        'pg_rewrite'::regclass, w.oid, 0,
        jsonb_build_object('definition', pg_get_ruledef(w.oid))
    from pg_rewrite as w
    join relation as r on r.oid = w.ev_class
    where w.rulename <> '_RETURN'

    union all
    select
        'policy', r.nspname, r.oid::regclass::text || '.' || quote_ident(p.polname), r.oid::regclass::text,
        'pg_policy'::regclass, p.oid, 0,
        jsonb_build_object(
            'command', p.polcmd, 'permissive', p.polpermissive,
            'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)
        )
    from pg_policy as p
    join relation as r on r.oid = p.polrelid

    union all
    select
        'statistics', s.nspname, quote_ident(s.nspname) || '.' || quote_ident(x.stxname), x.stxrelid::regclass::text,
        'pg_statistic_ext'::regclass, x.oid, 0,
        jsonb_build_object('definition', pg_get_statisticsobjdef(x.oid))
    from pg_statistic_ext as x
    join space as s on s.oid = x.stxnamespace

    union all
    select
        'function', s.nspname, p.oid::regprocedure::text, null, 'pg_proc'::regclass, p.oid, 0,
        jsonb_build_object(
            'definition',
            case when p.prokind = 'a' then 'aggregate returning ' || pg_get_function_result(p.oid)
            else pg_get_functiondef(p.oid) end
        )
    from pg_proc as p
    join space as s on s.oid = p.pronamespace
    where not exists (
        select from brought as b where b.classid = 'pg_proc'::regclass and b.objid = p.oid
    ) and not exists (
        select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'i'
    )

    union all
    select
        'type', s.nspname, t.oid::regtype::text, null, 'pg_type'::regclass, t.oid, 0,
        case t.typtype
            when 'e' then jsonb_build_object('labels', (
                select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                from pg_enum as e where e.enumtypid = t.oid
            ))
            when 'd' then jsonb_build_object(
                'type', format_type(t.typbasetype, t.typtypmod), 'nullable', not t.typnotnull,
                'default', t.typdefault
            )
            when 'c' then jsonb_build_object('attributes', (
                select string_agg(
                    quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum
                )
                from pg_attribute as a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
            ))
            else jsonb_build_object('subtype', (
                select format_type(g.rngsubtype, null) from pg_range as g where g.rngtypid = t.oid
            ))
        end
    from pg_type as t
    join space as s on s.oid = t.typnamespace
    left join pg_class as c on c.oid = t.typrelid
    where t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')
)
select
    f.kind, f.schema_name, f.name, f.parent,
    jsonb_strip_nulls(f.properties || jsonb_build_object('comment', n.description)) as properties
from found as f
left join note as n on n.classoid = f.classid and n.objoid = f.objid and n.objsubid = f.subid
where f.classid <> 'pg_type'::regclass or not exists (
    select from brought as b where b.classid = f.classid and b.objid = f.objid
)
