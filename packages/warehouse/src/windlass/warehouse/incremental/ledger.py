"""Watermarks looked at and set by hand: what to do at night when rows must be read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import errors as pg_errors
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from windlass.warehouse.bookkeeping import bookkeeping_needed
from windlass.warehouse.errors import WatermarkError
from windlass.warehouse.incremental.position import Kind, read_position, require_position
from windlass.warehouse.incremental.state import position_text
from windlass.warehouse.load.table import PgConnection

__all__ = ["WatermarkEntry", "list_watermarks", "reset_watermark", "set_watermark"]

_PATIENCE = "5s"

_LIST = """
select
    pipeline, source_name, watermark ->> 'value' as watermark, watermark ->> 'column' as column,
    watermark ->> 'type' as type, pending ->> 'position' as pending,
    coalesce(jsonb_array_length(pending -> 'transactions'), 0)
    + coalesce(jsonb_array_length(pending -> 'prepared'), 0) as held_back,
    rows_loaded, updated_at
from ops.load_watermark
where (%(pipeline)s::text is null or pipeline = %(pipeline)s)
and (%(source_name)s::text is null or source_name = %(source_name)s)
order by pipeline, source_name
"""
_LOCK = """
select source_name, watermark from ops.load_watermark
where pipeline = %(pipeline)s and (%(source_name)s::text is null or source_name = %(source_name)s)
for update
"""
# Without the table's object id the next load takes the watermark as it is, even with an empty table.
_SET = """
insert into ops.load_watermark (pipeline, source_name, watermark)
values (%(pipeline)s, %(source_name)s, %(watermark)s)
on conflict (pipeline, source_name) do update
set watermark = excluded.watermark, pending = null, target_oid = null, rows_loaded = 0, updated_at = now()
"""


@dataclass(frozen=True, slots=True)
class WatermarkEntry:
    """A watermark as it is kept.

    Attributes:
        pipeline: Whose it is.
        source_name: Which of the pipeline's it is.
        watermark: The position; None before the first rows.
        column: The column it is of; None when it was set before any load.
        type: What that column holds.
        pending: Higher position that waits for transactions in flight.
        held_back: For how many.
        rows_loaded: Rows the last load read.
        updated_at: When that was.
    """

    pipeline: str
    source_name: str
    watermark: str | None
    column: str | None
    type: str | None
    pending: str | None
    held_back: int
    rows_loaded: int
    updated_at: datetime


def list_watermarks(
    connection: PgConnection, *, pipeline: str | None = None, source_name: str | None = None
) -> tuple[WatermarkEntry, ...]:
    """The watermarks, of all pipelines or of one."""
    given = {"pipeline": pipeline, "source_name": source_name}
    with (
        bookkeeping_needed("keeping watermarks"),
        connection.cursor(row_factory=class_row(WatermarkEntry)) as cursor,
    ):
        return tuple(cursor.execute(_LIST, given))


def set_watermark(
    connection: PgConnection, *, pipeline: str, value: str, source_name: str | None = None
) -> WatermarkEntry:
    """Set a watermark: the next load begins there. A pipeline that is to begin somewhere may get one, too.

    Args:
        connection: Connection to the warehouse.
        pipeline: Whose watermark.
        value: The position; of the kind of the one that is there.
        source_name: Which of the pipeline's watermarks; needed if it has several, or none yet.

    Raises:
        WatermarkError: It is not clear which one, the value is no position, or a load is running.
    """
    with _alone(connection, pipeline):
        name, old = _lock(connection, pipeline, source_name, may_be_new=True)
        kind = (old or {}).get("type")
        if kind is None:
            require_position(value)
        text = value if kind is None else position_text(read_position(value, Kind(kind)))
        new = {"value": text, "column": (old or {}).get("column"), "type": kind}
        given = {"pipeline": pipeline, "source_name": name, "watermark": Jsonb(new)}
        connection.execute(_SET, given)
        (entry,) = list_watermarks(connection, pipeline=pipeline, source_name=name)
    return entry


def reset_watermark(
    connection: PgConnection, *, pipeline: str, source_name: str | None = None
) -> WatermarkEntry:
    """Forget a watermark: the next load begins at its `start`. Rows that are there are not doubled.

    Returns:
        What was forgotten.

    Raises:
        WatermarkError: There is none, it is not clear which one, or a load is running.
    """
    with _alone(connection, pipeline):
        name, _ = _lock(connection, pipeline, source_name, may_be_new=False)
        (entry,) = list_watermarks(connection, pipeline=pipeline, source_name=name)
        connection.execute(
            "delete from ops.load_watermark where pipeline = %s and source_name = %s", [pipeline, name]
        )
    return entry


@contextmanager
def _alone(connection: PgConnection, pipeline: str) -> Iterator[None]:
    """A transaction in which no load of the pipeline runs."""
    try:
        with bookkeeping_needed("keeping watermarks"), connection.transaction():
            connection.execute("select set_config('lock_timeout', %s, true)", [_PATIENCE])
            yield
    except pg_errors.LockNotAvailable as error:
        raise WatermarkError(
            f"A load of pipeline {pipeline!r} is running and holds its watermark.",
            advice="Wait for it to end, or stop it, and do this again.",
        ) from error


def _lock(
    connection: PgConnection, pipeline: str, source_name: str | None, *, may_be_new: bool
) -> tuple[str, Mapping[str, Any] | None]:
    """Name and value of the one watermark that is meant, locked."""
    given = {"pipeline": pipeline, "source_name": source_name}
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_LOCK, given).fetchall()
    if len(found) == 1:
        return found[0]
    if not found and may_be_new and source_name is not None:
        return source_name, None
    if found:
        names = ", ".join(repr(name) for name, _ in found)
        raise WatermarkError(
            f"Pipeline {pipeline!r} has {len(found)} watermarks: {names}.", advice="Name one with --source."
        )
    raise WatermarkError(
        f"Pipeline {pipeline!r} has no watermark{f' for {source_name!r}' if source_name else ''}.",
        advice="See which there are: windlass-warehouse watermark list. "
        "To set one before the first load, name its source (the table) with --source.",
    )
