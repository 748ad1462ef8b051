"""Changes: each row says how its key is from a time on, until the next statement about it."""

from __future__ import annotations

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import STATEMENT, WOVEN, at, columns, differs, joined, same
from windlass.warehouse.scd2.model import Tally
from windlass.warehouse.scd2.notes import keep_marks, marks_of
from windlass.warehouse.scd2.rewrite import rewrite
from windlass.warehouse.scd2.unfit import SHOWN
from windlass.warehouse.scd2.weave import weave

__all__ = ["apply_changes"]


def apply_changes(connection: PgConnection, dimension: Dimension, *, rows: int) -> Tally:
    """Apply the staged rows as statements about their keys.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        rows: How many rows are staged.

    Returns:
        What became of them.

    Raises:
        HistoryError: Two rows contradict each other, or a time is none.
    """
    _check_times(connection, dimension)
    _settle_repeats(connection, dimension)
    said = sql.SQL("select * from {}").format(STATEMENT)
    weave(connection, dimension, said=said, marks=marks_of(dimension, sql.SQL("keys")), rows=rows)
    tally = _tally(connection, rows=rows)
    rewrite(connection, dimension)
    keep_marks(connection, dimension)
    return tally


def _check_times(connection: PgConnection, dimension: Dimension) -> None:
    texts = joined(sql.SQL("{}::text").format(at("s", column.name)) for column in dimension.key)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL(
                'select count(*) over (), s."windlass at"::text, {} from {} as s '
                'where not isfinite(s."windlass at") or s."windlass at" >= {} limit {}'
            ).format(texts, STATEMENT, dimension.open_end, sql.Literal(SHOWN))
        )
        found = cursor.fetchall()
    if found:
        told = "; ".join(f"{dimension.named(row[2:])} at {row[1]}" for row in found)
        raise HistoryError(
            f"{found[0][0]} rows of the query hold from a time that never comes: {told}. "
            "Nothing was changed.",
            advice="Give each row the time from which it holds.",
        )


def _settle_repeats(connection: PgConnection, dimension: Dimension) -> None:
    """Keep one of equal rows; refuse rows that contradict each other."""
    by = sql.SQL('{}, s."windlass at"').format(columns("s", dimension.key))
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL("select from {} as s group by {} having count(*) > 1 limit 1").format(STATEMENT, by)
        )
        if cursor.fetchone() is None:
            return
        found = cursor.execute(_contradictions(dimension)).fetchall()
        if found:
            raise _contradiction(dimension, found)
        cursor.execute(
            sql.SQL(
                "delete from {0} as s using {0} as other where {1} and {2} and other.ctid < s.ctid"
            ).format(
                STATEMENT, same("s", "other", dimension.key), sql.SQL('s."windlass at" = other."windlass at"')
            )
        )


def _contradictions(dimension: Dimension) -> sql.Composed:
    """Query of keys and times with two contents: how many, and the columns in which they differ."""
    alike = sql.SQL('s."windlass gone" = o."windlass gone" and (s."windlass gone" or not {})').format(
        differs((column, at("s", column.name), at("o", column.name)) for column in dimension.values)
    )
    different = joined(
        (
            sql.SQL(
                "case when {} then {} || ': ' || coalesce({}::text, 'null') || ' / ' "
                "|| coalesce({}::text, 'null') end"
            ).format(
                differs([(column, at("s", column.name), at("o", column.name))]),
                sql.Literal(column.name),
                at("s", column.name),
                at("o", column.name),
            )
            for column in dimension.values
        ),
    )
    return sql.SQL(
        'with pair as (select distinct on ({key}, s."windlass at") {texts}, '
        's."windlass at"::text as "windlass time", '
        'case when s."windlass gone" <> o."windlass gone" then \'a deletion and none\' '
        "else concat_ws(', ', {different}) end as \"windlass different\" "
        'from {statement} as s join {statement} as o on {same} and s."windlass at" = o."windlass at" '
        'and s.ctid < o.ctid where not ({alike}) order by {key}, s."windlass at") '
        "select count(*) over (), p.* from pair as p limit {shown}"
    ).format(
        key=columns("s", dimension.key),
        texts=joined(
            sql.SQL("{}::text as {}").format(at("s", column.name), sql.Identifier(column.name))
            for column in dimension.key
        ),
        different=different if dimension.values else sql.SQL("null"),
        statement=STATEMENT,
        same=same("s", "o", dimension.key),
        alike=alike,
        shown=sql.Literal(SHOWN),
    )


def _contradiction(dimension: Dimension, found: list[tuple[object, ...]]) -> HistoryError:
    told = "; ".join(f"{dimension.named(row[1:-2])} at {row[-2]} ({row[-1]})" for row in found)
    count = found[0][0]
    return HistoryError(
        f"{count} key{'s are' if count != 1 else ' is'} said to be two things at the same time: {told}. "
        "Nothing was changed.",
        advice="Let the query give one row for a key and time, e.g. by a sequence number of the source: "
        "select distinct on (key, time) ... order by key, time, sequence desc.",
    )


def _tally(connection: PgConnection, *, rows: int) -> Tally:
    kinds = ("inserted", "changed", "reappeared", "deleted")
    counts = joined(
        sql.SQL('count(*) filter (where w."windlass kind" = {})').format(sql.Literal(kind)) for kind in kinds
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL('select {}, count(*) filter (where w."windlass late") from {} as w').format(counts, WOVEN)
        )
        inserted, changed, reappeared, deleted, late = cursor.fetchone() or (0, 0, 0, 0, 0)
    return Tally(
        inserted=inserted,
        changed=changed,
        reappeared=reappeared,
        deleted=deleted,
        unchanged=rows - inserted - changed - reappeared - deleted,
        late=late,
    )
