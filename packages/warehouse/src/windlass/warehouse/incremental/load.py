"""Incremental loads: rows and watermark in one transaction, and nothing committed late is missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from os import PathLike
from typing import Any

import psycopg
from psycopg import sql as pgsql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import LoadError, WatermarkError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.incremental.cursor import CursorReader, highest_staged
from windlass.warehouse.incremental.events import warn, warn_held_back
from windlass.warehouse.incremental.model import IncrementalResult
from windlass.warehouse.incremental.newest import keep_newest
from windlass.warehouse.incremental.position import (
    Position,
    highest,
    parse_overlap,
    read_position,
    subtract,
)
from windlass.warehouse.incremental.postgres import PostgresReader
from windlass.warehouse.incremental.progress import Progress, at_most, begin, wait_for
from windlass.warehouse.incremental.reader import STAGE, Reader, Reading
from windlass.warehouse.incremental.state import (
    State,
    StateKey,
    lock_state,
    position_text,
    save_state,
    watermark_json,
)
from windlass.warehouse.load.by_key import UpsertCounts, require_key, upsert_from
from windlass.warehouse.load.extract import Source
from windlass.warehouse.load.table import PgConnection, Table, describe_table, names
from windlass.warehouse.transform.bind import advice_for
from windlass.warehouse.transform.script import Script, read_script

__all__ = ["incremental_load"]


@dataclass(frozen=True, slots=True)
class _Request:
    """What the user asks for."""

    state_key: StateKey
    script: Script
    watermark: str
    key: Sequence[str]
    overlap: str | float | Decimal | timedelta | None
    start: str | float | Decimal | date | datetime | None
    parameters: Mapping[str, Any]
    patience: float
    context: RunContext


def incremental_load(
    connection: PgConnection,
    *,
    table: str,
    watermark: str,
    key: Sequence[str],
    sql: str | None = None,
    sql_file: str | PathLike[str] | None = None,
    source: Source | None = None,
    overlap: str | float | Decimal | timedelta | None = None,
    start: str | float | Decimal | date | datetime | None = None,
    pipeline: str | None = None,
    source_name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    patience: float = 1.0,
    context: RunContext = NO_TASK,
) -> IncrementalResult:
    """Load the rows that are new or changed since the last load, and upsert them by key.

    Rows are read from the watermark on (itself included, less `overlap`), so some are read twice and change
    nothing. Rows and watermark are committed together. From PostgreSQL the watermark never passes a
    transaction that may still commit a row below it (decision 0009). Rows deleted in the source are not seen.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        table: The table to load, `schema.name`; columns are matched by name.
        watermark: Column of the query that grows with every change: a timestamp, a date, or a number.
        key: Columns of the target's primary key or of one of its unique constraints.
        sql: The query. On PostgreSQL it needs no condition; it may compare with `%(watermark)s` itself, and
            on other databases it must.
        sql_file: A UTF-8 file with it, instead of `sql`.
        source: Where to run the query: a psycopg connection, a PEP 249 connection, or None for
            `connection` itself.
        overlap: How far below the watermark to begin: a duration (`10m`, `PT10M`) or a number. By default 10
            seconds (a day for dates, 0 for numbers); it must be given where transactions in flight
            cannot be seen: on a standby, and on other databases.
        start: Where the first load begins; by default it reads all.
        pipeline: Whose watermark it is; by default `dag_id.task_id` of the context.
        source_name: Which of the pipeline's watermarks it is; by default the table.
        parameters: Values for `%(name)s` in the query.
        patience: Seconds to wait for transactions in flight, so that the watermark need not.
        context: Who loads: bound like parameters, for PostgreSQL sources.

    Raises:
        WatermarkError: New rows cannot be told from old ones.
        StatementError: The query failed, at file:line:column.
        TableError: A column is unknown or cannot be written, or the key is none.
        LoadError: The rows do not fit the table. Nothing was loaded, and the watermark stands where it was.
    """
    script = read_script(sql=sql, sql_file=sql_file)
    try:
        with writing(connection, context):
            target = describe_table(connection, table)
            request = _Request(
                StateKey(pipeline or _pipeline_of(context), source_name or target.ledger_name),
                script,
                watermark,
                tuple(key),
                overlap,
                start,
                parameters or {},
                patience,
                context,
            )
            return _load(connection, request, target, connection if source is None else source)
    except LoadError as error:
        if connection.broken:
            raise _lost(table) from error
        raise
    except psycopg.Error as error:
        if connection.broken:
            raise _lost(table) from error
        raise LoadError(
            f"The rows do not go into {table}: {error.diag.message_primary or error}. "
            "Nothing was loaded, and the watermark stands where it was.",
            advice=advice_for(error),
        ) from error


def _lost(table: str) -> LoadError:
    return LoadError(
        f"The connection to the warehouse broke while {table} was loaded; rows and watermark were committed "
        "together or not at all.",
        advice="See that the server runs, and run this again: what was loaded is not doubled.",
    )


def _pipeline_of(context: RunContext) -> str:
    if context.dag_id is None or context.task_id is None:
        raise WatermarkError(
            "Outside Airflow nobody knows whose watermark this is.", advice="Give `pipeline` a name."
        )
    mapped = "" if context.map_index < 0 else f"[{context.map_index}]"
    return f"{context.dag_id}.{context.task_id}{mapped}"


def _load(connection: PgConnection, request: _Request, target: Table, origin: Source) -> IncrementalResult:
    # Before anything is read: the upsert would refuse it only afterwards.
    require_key(connection, target, request.key)
    state = lock_state(connection, request.state_key)
    reader = _reader(connection, request, target, origin)
    started_over = _is_emptied(connection, target, state)
    if started_over:
        warn("target_emptied", table=str(target), pipeline=request.state_key.pipeline)
        state = State(None, None, None)
    before = state.position(column=request.watermark, kind=reader.kind)
    ceiling = reader.ceiling()
    progress = begin(reader, state, at_most(before, ceiling), ceiling)
    if progress.watermark != before:
        warn("source_clock_behind_watermark", table=str(target), watermark=str(before), clock=str(ceiling))

    stage = _make_stage(connection, target)
    reading, progress = _read(connection, request, reader, progress, stage)
    without = _count_unstamped(connection, stage, request.watermark)
    superseded, counts = _write(connection, request, target, stage, reading.columns)

    after, pending = progress.watermark, progress.pending
    stored = None if after is None else watermark_json(after, column=request.watermark, kind=reader.kind)
    save_state(connection, request.state_key, State(stored, pending, target.oid), rows=reading.rows)
    result = IncrementalResult(
        table=str(target),
        read=reading.rows,
        **asdict(counts),
        superseded=superseded,
        without_watermark=without,
        watermark_before=position_text(before),
        watermark_after=position_text(after),
        pending=pending.position if pending else None,
        held_back=len(pending.transactions) + len(pending.prepared) if pending else 0,
        oldest=progress.blockers[0] if progress.blockers else None,
        started_over=started_over,
    )
    if pending:
        warn_held_back(result, pipeline=request.state_key.pipeline)
    return result


def _write(
    connection: PgConnection, request: _Request, target: Table, stage: Table, columns: Sequence[str]
) -> tuple[int, UpsertCounts]:
    """Bring the staged rows into the table; how many were superseded, and what became of the others."""
    superseded = keep_newest(connection, stage, columns=columns, key=request.key, watermark=request.watermark)
    counts = upsert_from(
        connection, target=target, stage=stage.name.identifier, columns=columns, key=request.key
    )
    connection.execute(pgsql.SQL("drop table {}").format(stage.name.identifier))
    return superseded, counts


def _read(
    connection: PgConnection, request: _Request, reader: Reader, progress: Progress, stage: Table
) -> tuple[Reading, Progress]:
    """Read the rows, in the order that decision 0009 demands, and move the watermark."""
    lower = _lower(request, reader, progress.watermark)
    seen = reader.highest(lower)
    waited, in_flight = None, reader.in_flight
    reached = highest(progress.watermark, progress.promoted)
    if in_flight is not None and progress.pending is None and highest(seen, reached) != reached:
        waited = wait_for(in_flight, seen, patience=request.patience)
    reading = reader.read(lower)
    if in_flight is None:
        seen = highest(seen, highest_staged(connection, stage, request.watermark, reader.kind))
    return reading, progress.after(seen, waited)


def _reader(connection: PgConnection, request: _Request, target: Table, origin: Source) -> Reader:
    if isinstance(origin, psycopg.Connection):
        return PostgresReader(
            connection,
            origin=origin,
            script=request.script,
            parameters=request.parameters,
            always=request.context.parameters(),
            target=target,
            watermark=request.watermark,
        )
    return CursorReader(
        connection,
        origin=origin,
        script=request.script,
        parameters=request.parameters,
        target=target,
        watermark=request.watermark,
    )


def _lower(request: _Request, reader: Reader, watermark: Position | None) -> Position | None:
    """Where to begin to read, itself included; None for all."""
    if request.overlap is None and reader.in_flight is None:
        raise WatermarkError(
            "Transactions in flight cannot be seen on this source (a standby, or not PostgreSQL), so rows "
            "committed late could be missed.",
            advice="Give an overlap longer than its transactions take, e.g. overlap: 1h; 0s if none is late.",
        )
    overlap = parse_overlap(request.overlap, reader.kind)
    if watermark is not None:
        return subtract(watermark, overlap)
    if request.start is not None:
        return read_position(request.start, reader.kind)
    if reader.binds_watermark:
        raise WatermarkError(
            "The query compares with %(watermark)s, and there is none yet: with null it would give no rows.",
            advice="Give start: the position where the first load begins.",
        )
    return None


def _is_emptied(connection: PgConnection, target: Table, state: State) -> bool:
    """Whether the rows that the watermark stands for are gone: another table of that name, or none in it."""
    if state.watermark is None or state.target_oid is None:
        return False
    if state.target_oid != target.oid:
        return True
    return not _one(connection, pgsql.SQL("select exists (select from {})").format(target.name.identifier))


def _make_stage(connection: PgConnection, target: Table) -> Table:
    """A temporary table with the target's columns and without its constraints, which judge later."""
    writable = [column.name for column in target.columns.values() if column.is_writable]
    connection.execute(
        pgsql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            pgsql.Identifier(STAGE), names(writable), target.name.identifier
        )
    )
    return describe_table(connection, f"pg_temp.{STAGE}")


def _count_unstamped(connection: PgConnection, stage: Table, watermark: str) -> int:
    query = pgsql.SQL("select count(*) from {} where {} is null")
    return int(_one(connection, query.format(stage.name.identifier, pgsql.Identifier(watermark))))


def _one(connection: PgConnection, query: pgsql.Composed) -> Any:
    with connection.cursor(row_factory=tuple_row) as cursor:
        (value,) = cursor.execute(query).fetchone() or (None,)
        return value
