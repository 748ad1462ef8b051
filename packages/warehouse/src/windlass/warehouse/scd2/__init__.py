"""Slowly changing dimensions, type 2: every version of a key with the time for which it held.

The history depends on what was applied, not on the order in which it arrived or how often: late snapshots and
changes take their place, repeats change nothing, corrections replace what they correct.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import Any

import psycopg

from windlass.warehouse.bookkeeping import read_committed
from windlass.warehouse.errors import HistoryError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.scd2.application import make_application
from windlass.warehouse.scd2.model import Mode, Period, Scd2Result, Source
from windlass.warehouse.scd2.stage import workspace
from windlass.warehouse.transform.bind import advice_for, single_query
from windlass.warehouse.transform.script import read_script

__all__ = ["Scd2Result", "apply_scd2"]


def apply_scd2(
    connection: PgConnection,
    *,
    table: str,
    key: Sequence[str],
    sql: str | None = None,
    sql_file: str | PathLike[str] | None = None,
    mode: Mode = "snapshot",
    as_of: datetime | None = None,
    effective_at: str | None = None,
    deleted: str | None = None,
    complete: bool = True,
    allow_empty: bool = False,
    track: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    valid_from: str = "valid_from",
    valid_to: str = "valid_to",
    is_current: str | None = "is_current",
    context: RunContext = NO_TASK,
) -> Scd2Result:
    """Apply the rows of a query to a dimension that keeps its history.

    The query gives the key and the other columns of the dimension, named as they are there. Other writers of
    the dimension wait, readers do not; all happens in one transaction.

    - `snapshot`: the query is the whole state as of one instant. A key that is not in it is gone from then
      on. It holds until the next snapshot that was applied, before or after it.
    - `changes`: each row says how its key is from its `effective_at` on, until the next statement about that
      key. Rows may come in any order and at any time.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        table: The dimension, `schema.name`, with a unique constraint on the key and `valid_from`.
        key: Columns of its natural key.
        sql: The query.
        sql_file: A UTF-8 file with it, instead of `sql`.
        mode: `snapshot` or `changes`; one for a dimension, not both.
        as_of: Instant of the snapshot, with a time zone; the run's logical date if not given.
        effective_at: The query's column with the time from which a row holds.
        deleted: The query's boolean column that tells of a deletion; null counts as false.
        complete: Whether a key that is not in the snapshot is gone. If not, the snapshot is a batch of
            changes at one time, and counts as changes.
        allow_empty: Whether a snapshot without rows may close versions. It says that everything is gone, and
            mostly it is the source that is empty.
        track: Columns whose change begins a version; the others are overwritten in the version that holds.
            All by default.
        parameters: Values for `%(name)s` in the query.
        valid_from: Column with the beginning of a version, inclusive.
        valid_to: Column with its end, exclusive; its default, else null, else infinity stands for none.
        is_current: Boolean column that is true while a version has no end; None for none.
        context: Who applies it: noted with the snapshot, and bound like parameters.

    Returns:
        What became of the rows.

    Raises:
        StatementError: The query failed, at file:line:column.
        TableError: The table is no such dimension, or a column is missing or unknown.
        HistoryError: Rows contradict each other, lack a key or a time, or do not fit, or a snapshot has none;
            nothing was changed.
    """
    application = make_application(
        table=table,
        key=key,
        mode=mode,
        as_of=as_of if as_of is not None or mode == "changes" else context.logical_date,
        complete=complete,
        allow_empty=allow_empty,
        source=Source(effective_at=effective_at, deleted=deleted, track=track),
        period=Period(valid_from, valid_to, is_current),
    )
    script = read_script(sql=sql, sql_file=sql_file)
    query = single_query(connection, script, parameters=parameters or {}, always=context.parameters())
    try:
        # Snapshots that waited for each other must see what the other one wrote.
        with read_committed(connection), writing(connection, context), workspace(connection):
            return application.run(connection, query, context)
    except psycopg.Error as error:
        raise HistoryError(
            f"Applying to {table} failed: {error.diag.message_primary or error}. Nothing was changed.",
            advice=advice_for(error),
        ) from error
