"""A snapshot held against the versions that cover its instant: what differs, and what is there twice."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import CHANGE, STATEMENT, at, columns, differs, joined, same
from windlass.warehouse.scd2.stage import prefer_lookups
from windlass.warehouse.scd2.unfit import SHOWN

__all__ = ["Difference", "Survey", "compare", "survey"]


# The subquery keeps both sides' columns from being carried together: 1664 are the most there can be.
_JOIN = """
create temporary table windlass_change on commit drop as
select row_number() over (order by {order}) as "windlass ord", "windlass kind", "windlass old from", {kept}
from (
    select case when {begin} is null then 'new' when {first} is null then 'missing'
        when {tracked} then 'changed' when {differs} then 'touched' end as "windlass kind",
        {begin} as "windlass old from", {key}{values}
    from {statement} as s full join (select * from {table} as t where {covers}) as t on {same}
    offset 0
) as j
where "windlass kind" is not null
"""
# Keys of these types sort faster than they hash: a quarter of the join's time, more when they come in order,
# and a sort keeps its pace where a hash table outgrows the processor's caches. Text compared by a language's
# rules does not.
_SORTS_FAST = re.compile(r"smallint|integer|bigint|uuid|date|timestamp(\(\d\))? with(out)? time zone")
_HASH = "select set_config('enable_hashjoin', %s, true)"
# Runs the statement, and tells how many rows the join gave before those that are alike were dropped.
_TOLD = sql.SQL("explain (analyze, timing off, costs off, summary off, buffers off, format json) {}")


@dataclass(frozen=True, slots=True)
class Survey:
    """How the versions lie around an instant.

    Attributes:
        versions: All versions.
        covering: Versions that hold at the instant.
        apart: Those of them of which a unique index lets a key have one only.
        later: Versions that begin or end at it or later.
        between: Those that begin or end strictly between it and the next noted snapshot.
    """

    versions: int
    covering: int
    apart: int
    later: int
    between: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How many keys differ, by how."""

    new: int
    changed: int
    missing: int
    touched: int
    reappeared: int

    @property
    def keys(self) -> int:
        """All of them."""
        return self.new + self.changed + self.missing + self.touched


def survey(
    connection: PgConnection,
    dimension: Dimension,
    *,
    instant: sql.Composable,
    following: sql.Composable | None,
) -> Survey:
    """Count versions around an instant, in one pass.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        instant: The snapshot's.
        following: That of the next noted snapshot, if there is one.
    """
    begin, end = at("t", dimension.begins.name), at("t", dimension.ends.name)
    within = [sql.SQL("{} > {}"), sql.SQL("{} < {}")] if following is not None else [sql.SQL("{} > {}")]
    bounds = (instant, following) if following is not None else (instant,)
    begins = joined((test.format(begin, bound) for test, bound in zip(within, bounds, strict=True)), " and ")
    ends = joined((test.format(end, bound) for test, bound in zip(within, bounds, strict=True)), " and ")
    closed = sql.SQL("not {}").format(dimension.is_open("t"))
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL(
                "select count(*), count(*) filter (where {covers}), "
                "count(*) filter (where {covers} and {one_version}), "
                "count(*) filter (where {begin} >= {instant} or ({end} >= {instant} and {closed})), "
                "count(*) filter (where ({begins}) or ({ends} and {closed})) from {table} as t"
            ).format(
                covers=dimension.covers("t", instant),
                one_version=dimension.one_version,
                begin=begin,
                end=end,
                instant=instant,
                closed=closed,
                begins=begins,
                ends=ends,
                table=dimension.identifier,
            )
        )
        return Survey(*(cursor.fetchone() or (0, 0, 0, 0, 0)))


def compare(
    connection: PgConnection, dimension: Dimension, *, instant: sql.Composable, rows: int, lie: Survey
) -> Difference:
    """Find the keys whose state at an instant is not what the snapshot says.

    A full join on the key's own columns, which PostgreSQL can only hash or merge: its cost is linear whatever
    the planner believes of the tables.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        instant: The snapshot's.
        rows: Rows of the snapshot.
        lie: How the versions lie around the instant.

    Raises:
        HistoryError: A key is in the snapshot twice.
    """
    joined_rows = _join(connection, dimension, instant, tell=lie.apart < lie.covering)
    found = _count(connection, dimension, instant, lie)
    # Each row of the snapshot is new or in a pair, each version is missing or in a pair; a key that is there
    # twice makes more pairs than there are rows of it on the other side. Where no key can have two versions,
    # each row makes one pair at most, and their number needs no telling. Counting costs next to nothing;
    # grouping the snapshot by its key took a quarter of all.
    pairs = rows - found.new if joined_rows is None else joined_rows - found.new - found.missing
    if (rows - found.new, lie.covering - found.missing) != (pairs, pairs):
        raise _duplicates(connection, dimension)
    if found.new and _has_new_twice(connection, dimension):
        raise _duplicates(connection, dimension)
    return found


def _join(
    connection: PgConnection, dimension: Dimension, instant: sql.Composable, *, tell: bool
) -> int | None:
    """Keep the rows of the full join that differ; tell how many there are in all: a tenth more."""
    pairs = [(column, at("s", column.name), at("t", column.name)) for column in dimension.values]
    tracked = [pair for pair in pairs if pair[0] in dimension.tracked]
    keys = [sql.Identifier(column.name) for column in dimension.key]
    kept = [*keys, *(sql.Identifier(column.name) for column in dimension.values)]
    statement = sql.SQL(_JOIN).format(
        begin=at("t", dimension.begins.name),
        first=at("s", dimension.key[0].name),
        order=joined(keys),
        kept=joined(kept),
        tracked=differs(tracked),
        key=joined(
            sql.SQL("coalesce({}, {}) as {}").format(
                at("s", column.name), at("t", column.name), sql.Identifier(column.name)
            )
            for column in dimension.key
        ),
        values=sql.SQL("").join(sql.SQL(", {}").format(at("s", column.name)) for column in dimension.values),
        statement=STATEMENT,
        table=dimension.identifier,
        covers=dimension.covers("t", instant),
        same=same("s", "t", dimension.key),
        differs=differs(pairs),
    )
    sort = all(_SORTS_FAST.fullmatch(column.type_name) for column in dimension.key)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_HASH, ["off" if sort else "on"])
        cursor.execute(_TOLD.format(statement) if tell else statement)
        (explained,) = (cursor.fetchone() if tell else None) or (None,)
        cursor.execute(_HASH, ["on"])
    if explained is None:
        return None
    plan = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
    while plan.get("Join Type") != "Full":
        plan = plan["Plans"][0]
    return int(plan["Actual Rows"])


def _count(
    connection: PgConnection, dimension: Dimension, instant: sql.Composable, lie: Survey
) -> Difference:
    kinds = joined(
        sql.SQL('count(*) filter (where c."windlass kind" = {})').format(sql.Literal(kind))
        for kind in ("new", "changed", "missing", "touched")
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(sql.SQL("select {} from {} as c").format(kinds, CHANGE))
        new, changed, missing, touched = cursor.fetchone() or (0, 0, 0, 0)
        reappeared = 0
        if new and lie.versions > lie.covering:
            prefer_lookups(connection, few=new, many=lie.versions)
            cursor.execute(
                sql.SQL(
                    "select count(*) from {} as c where c.\"windlass kind\" = 'new' "
                    "and exists (select from {} as t where {} and {} < {})"
                ).format(
                    CHANGE,
                    dimension.identifier,
                    same("t", "c", dimension.key),
                    at("t", dimension.begins.name),
                    instant,
                )
            )
            (reappeared,) = cursor.fetchone() or (0,)
    return Difference(new=new, changed=changed, missing=missing, touched=touched, reappeared=reappeared)


def _has_new_twice(connection: PgConnection, dimension: Dimension) -> bool:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL(
                "select from {} as c where c.\"windlass kind\" = 'new' "
                "group by {} having count(*) > 1 limit 1"
            ).format(CHANGE, columns("c", dimension.key))
        )
        return cursor.fetchone() is not None


def _duplicates(connection: PgConnection, dimension: Dimension) -> HistoryError:
    key = columns("s", dimension.key)
    texts = joined(sql.SQL("{}::text").format(at("s", column.name)) for column in dimension.key)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL(
                "select count(*) over (), count(*), {} from {} as s group by {} having count(*) > 1 "
                "order by {} limit {}"
            ).format(texts, STATEMENT, key, key, sql.Literal(SHOWN))
        )
        found = cursor.fetchall()
    if not found:
        return HistoryError(
            f"Several versions of one key hold at the same time in {dimension.table}. Nothing was changed.",
            advice="Mend the overlapping versions; find them by joining the table to itself on the key.",
        )
    told = "; ".join(f"{dimension.named(row[2:])} ({row[1]} times)" for row in found)
    count = found[0][0]
    return HistoryError(
        f"{count} key{'s are' if count != 1 else ' is'} in the snapshot more than once: {told}. "
        "Nothing was changed.",
        advice="Give one row for each key: select distinct on (key) ... order by key, the latest first.",
    )
