"""What is said now and what was known before, put in order: the versions that one clean history would have.

Every statement about a key has its time: a version's beginning, its end when nothing begins there, a mark,
or what is said now. Sorted by time, a statement that differs from the one before it begins or ends a version;
one that does not is a mark. So the outcome depends on what was said, and not on the order in which it came.
"""

from __future__ import annotations

from psycopg import sql

from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import at, columns, differs, joined

__all__ = ["weave"]

_SMALL = 1000
"""Up to so many statements a nested loop may look keys up by index; its worst case is this number squared."""

_WEAVE = """
create temporary table windlass_woven on commit drop as
with said as materialized ({said}),
keys as materialized (select distinct {k_of_said} from said as s),
own as materialized (
    select {t_key}{t_values}, {begin} as "windlass begin", {end} as "windlass until",
        {is_open} as "windlass open",
        lead({begin}) over (partition by {t_key} order by {begin}) as "windlass following"
    from {table} as t join keys as k on {t_is_k}
),
mark as materialized ({marks}),
piece as (
    select {s_key}{s_values}, s."windlass at", s."windlass gone", 0 as "windlass rank" from said as s
    union all
    select {o_key}{o_values}, o."windlass begin", false, 1 from own as o
    union all
    select {o_key}{nulls}, o."windlass until", true, 1 from own as o
    where not o."windlass open" and o."windlass following" is distinct from o."windlass until"
    union all
    select {m_key}{o_values}, m."windlass at", m."windlass gone" or o."windlass begin" is null, 1
    from mark as m left join own as o on {m_is_o} and o."windlass begin" <= m."windlass at"
        and (m."windlass at" < o."windlass until" or o."windlass open")
),
heard as (
    select p.*, row_number() over at_once as "windlass number",
        lead(p."windlass rank") over at_once is not null
        and lead(p."windlass gone") over at_once = p."windlass gone"
        and (p."windlass gone" or not {repeats}) as "windlass repeated",
        max(p."windlass at") filter (where p."windlass rank" = 1) over (partition by {p_key})
        > p."windlass at" as "windlass late"
    from piece as p
    window at_once as (partition by {p_key}, p."windlass at" order by p."windlass rank")
),
judged as (
    select p.*,
        case when p."windlass gone" then not coalesce(lag(p."windlass gone") over past, true)
            else coalesce(lag(p."windlass gone") over past, true) or {changes} end as "windlass begins",
        lag(p."windlass gone") over past as "windlass was gone",
        bool_or(not p."windlass gone") over (past rows between unbounded preceding and 1 preceding)
        as "windlass was there"
    from heard as p where p."windlass number" = 1
    window past as (partition by {p_key} order by p."windlass at")
),
run as (
    select p.*,
        count(*) filter (where p."windlass begins") over (partition by {p_key} order by p."windlass at")
        as "windlass run"
    from judged as p
)
select {p_key}{latest}, p."windlass at", p."windlass gone", p."windlass begins",
    coalesce(
        lead(p."windlass at") over (partition by {p_key}, p."windlass begins" order by p."windlass at"),
        {open_end}
    ) as "windlass until",
    case when p."windlass rank" = 1 then null
        when p."windlass repeated" or not p."windlass begins" then 'unchanged'
        when p."windlass gone" then 'deleted'
        when not coalesce(p."windlass was there", false) then 'inserted'
        when p."windlass was gone" then 'reappeared'
        else 'changed'
    end as "windlass kind",
    p."windlass rank" = 0 and not p."windlass repeated" and coalesce(p."windlass late", false)
        as "windlass late"
from run as p
"""


def weave(
    connection: PgConnection, dimension: Dimension, *, said: sql.Composable, marks: sql.Composable, rows: int
) -> None:
    """Put everything known of the keys concerned in order, into `windlass_woven`.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        said: Query of what is said: key, values, "windlass at", "windlass gone"; one row for a key and time.
        marks: Query of marks of those `keys`: key, "windlass at", "windlass gone".
        rows: How many statements there are.
    """
    connection.execute(
        sql.SQL("set local enable_nestloop = {}").format(sql.SQL("on" if rows <= _SMALL else "off"))
    )
    connection.execute(_weave(dimension, said, marks))


def _weave(dimension: Dimension, said: sql.Composable, marks: sql.Composable) -> sql.Composed:
    def listed(alias: str) -> sql.Composed:
        return sql.SQL("").join(sql.SQL(", {}").format(at(alias, column.name)) for column in dimension.values)

    def same(left: str, right: str) -> sql.Composed:
        return joined(
            (sql.SQL("{} = {}").format(at(left, item.name), at(right, item.name)) for item in dimension.key),
            " and ",
        )

    def against(function: str, window: str, tracked_only: bool) -> sql.Composable:
        return differs(
            (
                column,
                at("p", column.name),
                sql.SQL("{}({}) over {}").format(sql.SQL(function), at("p", column.name), sql.SQL(window)),
            )
            for column in (dimension.tracked if tracked_only else dimension.values)
        )

    p_key = columns("p", dimension.key)
    return sql.SQL(_WEAVE).format(
        said=said,
        marks=marks,
        table=dimension.identifier,
        k_of_said=columns("s", dimension.key),
        t_key=columns("t", dimension.key),
        t_values=listed("t"),
        begin=at("t", dimension.begins.name),
        end=at("t", dimension.ends.name),
        is_open=dimension.is_open("t"),
        t_is_k=same("t", "k"),
        s_key=columns("s", dimension.key),
        s_values=listed("s"),
        o_key=columns("o", dimension.key),
        o_values=listed("o"),
        nulls=sql.SQL("").join(
            sql.SQL(", null::{}").format(sql.SQL(column.type_name)) for column in dimension.values
        ),
        m_key=columns("m", dimension.key),
        m_is_o=same("m", "o"),
        p_key=p_key,
        repeats=against("lead", "at_once", tracked_only=False),
        changes=against("lag", "past", tracked_only=True),
        latest=sql.SQL("").join(_latest(dimension, name.name) for name in dimension.values),
        open_end=dimension.open_end,
    )


def _latest(dimension: Dimension, name: str) -> sql.Composed:
    """A value of a run: a tracked one is the same in all of it, of the others the last one holds."""
    if any(column.name == name for column in dimension.tracked):
        return sql.SQL(", {}").format(at("p", name))
    return sql.SQL(
        ', last_value({}) over (partition by {}, p."windlass run" order by p."windlass at" '
        "rows between unbounded preceding and unbounded following) as {}"
    ).format(at("p", name), columns("p", dimension.key), sql.Identifier(name))
