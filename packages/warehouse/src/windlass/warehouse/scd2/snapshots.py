"""Snapshots: each shows the whole state at an instant, and holds until the next one that was applied."""

from __future__ import annotations

from datetime import datetime

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.identity import RunContext
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.scd2.compare import Difference, compare, survey
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.forward import append_versions, overwrite
from windlass.warehouse.scd2.fragments import CHANGE, columns
from windlass.warehouse.scd2.model import Tally
from windlass.warehouse.scd2.notes import next_snapshot, note_snapshot
from windlass.warehouse.scd2.rewrite import rewrite
from windlass.warehouse.scd2.weave import weave

__all__ = ["apply_snapshot"]


def apply_snapshot(
    connection: PgConnection,
    dimension: Dimension,
    *,
    as_of: datetime,
    rows: int,
    allow_empty: bool,
    context: RunContext,
) -> tuple[Tally, str]:
    """Apply the staged rows as the state at an instant.

    Args:
        connection: Connection that holds the dimension's lock.
        dimension: The dimension.
        as_of: The instant; cut to the type of the dimension's validity columns.
        rows: How many rows are staged.
        allow_empty: Whether a snapshot without rows may close versions.
        context: Who applies it.

    Returns:
        What became of the rows, and the instant.

    Raises:
        HistoryError: A key is there twice, the snapshot is empty, or it falls between versions that no
            snapshot made.
    """
    noted = _instant(connection, dimension, as_of)
    known, following = next_snapshot(connection, dimension, noted)
    instant = sql.SQL("{}::timestamptz::{}").format(sql.Literal(noted), dimension.instant_type)
    after = None
    if following is not None:
        after = sql.SQL("{}::timestamptz::{}").format(sql.Literal(following), dimension.instant_type)
    lie = survey(connection, dimension, instant=instant, following=after)
    if lie.between:
        raise HistoryError(
            f"{dimension.table} has {lie.between} versions that begin or end after {noted}"
            f"{f' and before {following}' if following else ''}, and that no snapshot made. "
            "Nothing was changed.",
            advice="A snapshot can be late only among snapshots. Apply one that is later than all versions, "
            "or empty the table and apply them all.",
        )
    found = compare(connection, dimension, instant=instant, rows=rows, lie=lie)
    if found.missing and not rows and not allow_empty:
        raise HistoryError(
            f"The snapshot as of {noted} is empty, and would close {found.missing} "
            f"version{'s' if found.missing != 1 else ''} of {dimension.table}. Nothing was changed.",
            advice="See whether the source was filled. If everything is gone indeed, give allow_empty=True "
            '("allow_empty": true).',
        )
    if following is None and not lie.later:
        append_versions(connection, dimension, found, instant=instant, versions=lie.versions)
    elif found.keys > found.touched:
        _weave(connection, dimension, found, instant=instant, following=after)
        rewrite(connection, dimension)
    if following is None:
        overwrite(connection, dimension, found)
    note_snapshot(connection, dimension, as_of=noted, rows=rows, context=context)
    return _tally(found, rows=rows, late=following is not None and not known), noted


def _tally(found: Difference, *, rows: int, late: bool) -> Tally:
    differing = found.new + found.changed + found.touched
    return Tally(
        inserted=found.new - found.reappeared,
        changed=found.changed + found.touched,
        reappeared=found.reappeared,
        deleted=found.missing,
        unchanged=rows - differing,
        late=rows if late else 0,
    )


def _instant(connection: PgConnection, dimension: Dimension, as_of: datetime) -> str:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL(
                "select i::timestamptz::text, coalesce(i >= {}, false) "
                "from (select {}::timestamptz::{} as i) as s"
            ).format(dimension.open_end, sql.Literal(as_of.isoformat()), dimension.instant_type)
        )
        noted, is_beyond = cursor.fetchone() or ("", False)
    if is_beyond:
        raise HistoryError(
            f"as_of is {noted}, and the open versions of {dimension.table} end before. Nothing was changed.",
            advice="Give the instant whose state the snapshot shows.",
        )
    return str(noted)


def _weave(
    connection: PgConnection,
    dimension: Dimension,
    found: Difference,
    *,
    instant: sql.Composable,
    following: sql.Composable | None,
) -> None:
    """Order what is known of the keys that differ; the next snapshot says what it said."""
    said = sql.SQL(
        'select {key}{values}, {instant} as "windlass at", '
        'c."windlass kind" = \'missing\' as "windlass gone" '
        "from {change} as c where c.\"windlass kind\" <> 'touched'"
    ).format(
        key=columns("c", dimension.key),
        values=sql.SQL("").join(
            sql.SQL(", {}").format(columns("c", [column])) for column in dimension.values
        ),
        instant=instant,
        change=CHANGE,
    )
    marks = sql.SQL(
        'select {}, {} as "windlass at", false as "windlass gone" from keys as k where {}'
    ).format(
        columns("k", dimension.key),
        instant if following is None else following,
        sql.SQL("false" if following is None else "true"),
    )
    weave(connection, dimension, said=said, marks=marks, rows=found.keys)
