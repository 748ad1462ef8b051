"""One application of a query to a dimension, step by step, inside its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError
from windlass.warehouse.identity import RunContext
from windlass.warehouse.load.copying import lock_for_replacing
from windlass.warehouse.load.table import PgConnection, describe_table
from windlass.warehouse.scd2.changes import apply_changes
from windlass.warehouse.scd2.dimension import Dimension, describe_dimension
from windlass.warehouse.scd2.model import Mode, Period, Scd2Result, Source
from windlass.warehouse.scd2.notes import note_target, recall
from windlass.warehouse.scd2.snapshots import apply_snapshot
from windlass.warehouse.scd2.stage import query_columns, settle, stage
from windlass.warehouse.transform.bind import BoundStatement

__all__ = ["Application", "make_application"]


@dataclass(frozen=True, slots=True)
class Application:
    """What is to be applied, checked as far as it can be without a connection.

    Attributes:
        table: The dimension's name.
        key: Columns of its natural key.
        mode: How its history is kept.
        as_of: Instant of a complete snapshot.
        source: The query's columns that are not the dimension's.
        period: Names of the dimension's validity columns.
        allow_empty: Whether a snapshot without rows may close versions.
    """

    table: str
    key: Sequence[str]
    mode: Mode
    as_of: datetime | None
    source: Source
    period: Period
    allow_empty: bool = False

    def run(self, connection: PgConnection, query: BoundStatement, context: RunContext) -> Scd2Result:
        """Apply the query's rows.

        Args:
            connection: Connection in a transaction.
            query: The query.
            context: Who applies it.
        """
        # First the lock, then the catalog: what is read below is not changed by others meanwhile.
        table = describe_table(connection, self.table)
        if table.kind in ("r", "p"):
            lock_for_replacing(connection, table)
        given = query_columns(connection, query)
        dimension = describe_dimension(
            connection, self.table, key=self.key, period=self.period, source=self.source, given=given
        )
        rows = stage(connection, query, dimension=dimension, source=self.source, given=given)
        settle(connection)
        recall(connection, dimension, mode=self.mode, empty=_is_empty(connection, dimension))
        noted = None
        if self.as_of is not None:
            tally, noted = apply_snapshot(
                connection,
                dimension,
                as_of=self.as_of,
                rows=rows,
                allow_empty=self.allow_empty,
                context=context,
            )
        else:
            tally = apply_changes(connection, dimension, rows=rows)
        note_target(connection, dimension, mode=self.mode)
        return Scd2Result.of(tally, table=str(table), mode=self.mode, as_of=noted, rows=rows)


def _is_empty(connection: PgConnection, dimension: Dimension) -> bool:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(sql.SQL("select not exists (select from {})").format(dimension.identifier))
        return bool((cursor.fetchone() or (True,))[0])


def make_application(
    *,
    table: str,
    key: Sequence[str],
    mode: Mode,
    as_of: datetime | None,
    complete: bool,
    allow_empty: bool,
    source: Source,
    period: Period,
) -> Application:
    """Check that the options go together.

    Args:
        table: The dimension's name.
        key: Columns of its natural key.
        mode: What the rows are.
        as_of: Instant of a snapshot.
        complete: Whether a key that is not in a snapshot is gone.
        allow_empty: Whether a snapshot without rows may close versions.
        source: The query's columns that are not the dimension's.
        period: Names of the dimension's validity columns.

    Raises:
        HistoryError: They do not.
    """
    if mode == "changes":
        if source.effective_at is None or as_of is not None or not complete or allow_empty:
            raise HistoryError(
                "Changes need effective_at, the query's column with the time of each; as_of, complete "
                "and allow_empty are for snapshots.",
                advice="Give effective_at alone, or mode='snapshot'.",
            )
        return Application(table, key, mode, None, source, period)
    if mode != "snapshot":
        raise HistoryError(f"There is no mode {mode!r}.", advice="Give 'snapshot' or 'changes'.")
    if source.effective_at is not None or source.deleted is not None:
        raise HistoryError(
            "A snapshot holds as of one instant, and a key is gone when it is not in it: effective_at and "
            "deleted are for changes.",
            advice="Leave them out, or give mode='changes'.",
        )
    if as_of is None or as_of.tzinfo is None:
        raise HistoryError(
            "A snapshot needs as_of, the instant whose state it shows, with a time zone"
            f"{'' if as_of is None else f', not {as_of.isoformat()}'}.",
            advice="Give as_of, e.g. datetime(2026, 1, 5, tzinfo=UTC). A run with no logical date has none.",
        )
    if complete:
        return Application(table, key, "snapshot", as_of, source, period, allow_empty)
    return Application(table, key, "changes", None, replace(source, since=as_of), period)
