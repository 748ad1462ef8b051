"""Rejected rows go to `ops.rejected_row` with every reason: none disappears, none is noted twice."""

from __future__ import annotations

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.identity import RunContext
from windlass.warehouse.load.table import PgConnection, doubled
from windlass.warehouse.publish.audit import AUDIT, CANDIDATE, FAILED, ORD, PROBLEM
from windlass.warehouse.publish.plan import Plan
from windlass.warehouse.publish.rules import RuleBook

__all__ = ["write_rejects"]

# How dates and numbers are written decides the digest, so it must not depend on the session.
_STABLE = {"TimeZone": "UTC", "IntervalStyle": "iso_8601", "bytea_output": "hex", "extra_float_digits": "1"}
_SETTINGS = "select name, current_setting(name) from unnest(%s::text[]) as name"
_SET = "select set_config(%s, %s, true)"

_REJECT = """
with broken as materialized (
    select {ord} as ord, unnest({failed}) as rule, null::text as detail
    from {audit} where {failed} is not null
    union all
    select {ord}, rule, detail from {problem}
),
rules as materialized (
    select * from unnest(
        %(rules)s::integer[], %(kinds)s::text[], %(columns)s::text[], %(reasons)s::text[], %(shows)s::text[]
    ) as r (rule, kind, "column", reason, shows)
),
landed as materialized (
    select
        c.{ord} as ord, c.{row_key}::text as row_key,
        to_jsonb(c) - 'windlass ord' - 'windlass landed' as record
    from {candidate} as c
    where c.{ord} in (select ord from broken)
),
told as (
    select distinct on (b.ord, r.kind, r."column")
        b.ord, b.rule, r.kind, r."column",
        coalesce(
            b.detail,
            replace(r.reason, '{{value}}', coalesce(left(l.record ->> r.shows, 100), 'the value'))
        ) as reason
    from broken as b join rules as r using (rule) join landed as l using (ord)
    order by b.ord, r.kind, r."column", b.rule
),
problems as (
    select
        ord,
        jsonb_agg(
            jsonb_build_object('kind', kind, 'column', "column", 'reason', reason) order by rule
        ) as problems
    from told group by ord
),
digests as (
    select ord, row_key, record, encode(sha256(convert_to(record::text, 'UTF8')), 'hex') as digest from landed
),
rejects as (
    select
        d.*, p.problems, row_number() over (partition by d.digest order by d.ord) as occurrence
    from digests as d join problems as p using (ord)
),
written as (
    insert into ops.rejected_row as r (
        source_table, target_table, record_digest, occurrence, row_key, problems, record,
        dag_id, run_id, task_id, map_index
    )
    select
        %(source)s, %(target)s, digest, occurrence, row_key, problems, record,
        %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s
    from rejects
    on conflict (source_table, target_table, record_digest, occurrence) do update set
        row_key = excluded.row_key, problems = excluded.problems, dag_id = excluded.dag_id,
        run_id = excluded.run_id, task_id = excluded.task_id, map_index = excluded.map_index,
        last_rejected_at = now()
)
select count(distinct ord), kind, grouping(kind) from told group by rollup (kind) order by kind
"""


def write_rejects(
    connection: PgConnection, plan: Plan, book: RuleBook, *, source_table: str, context: RunContext
) -> tuple[int, dict[str, int]]:
    """Write all bad rows with their problems.

    A row is known by the digest of its content, so publishing again updates what is noted of it.

    Returns:
        How many rows were rejected, and how many rows have each kind of problem.
    """
    query = sql.SQL(_REJECT).format(
        ord=ORD,
        failed=FAILED,
        audit=AUDIT,
        problem=PROBLEM,
        candidate=CANDIDATE,
        row_key=doubled(sql.Identifier(plan.row_key), connection),
    )
    parameters = {
        "rules": list(range(len(book.rules))),
        "kinds": [rule.kind.value for rule in book.rules],
        "columns": [rule.column for rule in book.rules],
        "reasons": [rule.reason for rule in book.rules],
        "shows": [rule.shows for rule in book.rules],
        "source": source_table,
        "target": str(plan.target),
        "dag_id": context.dag_id,
        "run_id": context.run_id,
        "task_id": context.task_id,
        "map_index": context.map_index,
    }
    with connection.cursor(row_factory=tuple_row) as cursor:
        before = cursor.execute(_SETTINGS, [list(_STABLE)]).fetchall()
        cursor.executemany(_SET, list(_STABLE.items()))
        counts = cursor.execute(query, parameters).fetchall()
        cursor.executemany(_SET, before)
    rows = next((count for count, _, is_total in counts if is_total), 0)
    return rows, {kind: count for count, kind, is_total in counts if not is_total}
