"""A PostgreSQL source: the query is wrapped, and transactions in flight are seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import psycopg
from psycopg import pq, sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import StatementError, WatermarkError
from windlass.warehouse.incremental.inflight import InFlight, is_standby, list_in_flight, own_transaction
from windlass.warehouse.incremental.position import Kind, Position, ceiling, highest_below_ceiling
from windlass.warehouse.incremental.reader import (
    Reading,
    fetch_position,
    no_such_column,
    position_from_json,
    stage_rows,
)
from windlass.warehouse.load.copying import columns_named
from windlass.warehouse.load.query import query_columns
from windlass.warehouse.load.table import PgConnection, Table
from windlass.warehouse.transform.bind import BoundStatement, explain_failure, single_query
from windlass.warehouse.transform.script import Script

__all__ = ["PostgresReader"]

_PARAMETER = "watermark"
_ROW = "windlass_row"
_ROWS_OF = "select * from (\n"


class PostgresReader:
    """Reads from PostgreSQL.

    Args:
        connection: Connection to the warehouse, in the load's transaction.
        origin: Connection to the source; maybe the same.
        script: The user's query.
        parameters: Its parameters, the user's.
        always: Its parameters, the task's.
        target: The table to load.
        watermark: The watermark column.
    """

    def __init__(
        self,
        connection: PgConnection,
        *,
        origin: PgConnection,
        script: Script,
        parameters: Mapping[str, Any],
        always: Mapping[str, Any],
        target: Table,
        watermark: str,
    ) -> None:
        self._connection = connection
        self._origin = origin
        self._script = script
        self._parameters = parameters
        self._always = always
        self._target = target
        self._watermark = watermark
        _require_new_snapshots(connection, origin)
        _require_all_rows(script)
        self._standby = is_standby(origin)
        self.columns, self.kind = self._describe()

    @cached_property
    def binds_watermark(self) -> bool:
        """Whether the query compares with the watermark itself."""
        (statement, *_) = self._script.statements()
        return any(place.name == _PARAMETER for place in statement.placeholders)

    def ceiling(self) -> Position | None:
        """The highest position a watermark may have now, by the source's clock."""
        return fetch_position(self._origin, ceiling(self.kind), sql.SQL(""), self.kind)

    @property
    def in_flight(self) -> Callable[[], InFlight] | None:
        """Lists the transactions in flight now; None on a standby."""
        if self._standby:
            return None
        return lambda: list_in_flight(self._origin, own=own_transaction(self._connection))

    def highest(self, lower: Position | None) -> Position | None:
        """The highest watermark visible now, not above the ceiling."""
        query = self._bound(lower)
        start = sql.SQL("select to_jsonb({}) #>> '{{}}' from (\n").format(
            highest_below_ceiling(self._column(), self.kind)
        )
        end = sql.SQL(") as {}{}").format(sql.Identifier(_ROW), self._condition(lower))
        with self._origin.cursor(row_factory=tuple_row) as cursor:
            self._run(cursor, start.as_string(self._origin), query, end.as_string(self._origin))
            (value,) = cursor.fetchone() or (None,)
        return position_from_json(value, self.kind)

    def read(self, lower: Position | None) -> Reading:
        """Read the rows from a position on."""
        condition = self._condition(lower)
        if condition.as_string(self._origin):
            # A row without a watermark is above no position: it is read every time rather than never.
            condition = sql.SQL("{} or {} is null").format(condition, self._column())
        return Reading(self._copy(self._bound(lower), condition), self.columns)

    def _condition(self, lower: Position | None) -> sql.Composable:
        if lower is None or self.binds_watermark:
            return sql.SQL("")
        return sql.SQL(" where {} >= {}").format(self._column(), sql.Literal(lower))

    def _bound(self, lower: Position | None) -> BoundStatement:
        return single_query(
            self._origin,
            self._script,
            parameters=self._parameters,
            always={**self._always, _PARAMETER: lower},
        )

    def _column(self) -> sql.Composed:
        return sql.SQL("{}.{}").format(sql.Identifier(_ROW), sql.Identifier(self._watermark))

    def _describe(self) -> tuple[tuple[str, ...], Kind]:
        described = query_columns(self._origin, self._bound(None))
        given = tuple(column.name for column in described)
        found = {column.name: column for column in described}
        columns_named(self._target, given, source="The query")
        if self._watermark not in found:
            raise no_such_column(self._watermark, given)
        kind = Kind.of_type(found[self._watermark].type_oid)
        if kind is None:
            raise WatermarkError(
                f"Column {self._watermark!r} of the query is {found[self._watermark].type_name}, "
                "which cannot be a watermark.",
                advice="It must be a timestamp, a date, an integer or numeric; cast it in the query.",
            )
        return given, kind

    def _run(self, cursor: psycopg.Cursor[Any], start: str, query: BoundStatement, end: str) -> None:
        text = f"{start}{query.text}\n{end}"
        try:
            cursor.execute(text.encode(self._origin.info.encoding))
        except psycopg.Error as error:
            raise explain_failure(error, query, prefix=len(start)) from error

    def _copy(self, query: BoundStatement, condition: sql.Composable) -> int:
        where = sql.SQL(") as {}{}").format(sql.Identifier(_ROW), condition).as_string(self._origin)
        elsewhere = self._origin is not self._connection
        with self._origin.transaction() if elsewhere else nullcontext():
            if elsewhere:
                # One snapshot also for the functions that the query calls.
                self._origin.execute("set transaction isolation level repeatable read, read only")
            try:
                return stage_rows(
                    self._connection,
                    self._target,
                    sql=f"{_ROWS_OF}{query.text}\n{where}",
                    source=self._origin if elsewhere else None,
                )
            except StatementError as error:
                if not isinstance(error.__cause__, psycopg.Error):
                    raise
                raise explain_failure(error.__cause__, query, prefix=len(query.text) + 1) from error.__cause__


def _require_all_rows(script: Script) -> None:
    """Refuse a limit: the rows behind it are lower than the watermark, and are never read."""
    offset = script.clause(("limit", "offset", "fetch"))
    if offset is not None:
        line, column = script.position(offset)
        raise WatermarkError(
            f"The query leaves rows out by their number ({script.name}:{line}:{column}), and the next load "
            "would not know which.",
            advice="Remove LIMIT, OFFSET or FETCH: rows are streamed, however many there are.",
        )


def _require_new_snapshots(connection: PgConnection, origin: PgConnection) -> None:
    """Make sure that each statement sees what has been committed before it."""
    if origin is connection:
        with origin.cursor(row_factory=tuple_row) as cursor:
            (level,) = cursor.execute("show transaction_isolation").fetchone() or ("",)
        if level != "read committed":
            raise WatermarkError(
                f"The transaction of the load is {level}: it does not see what others commit meanwhile.",
                advice="Load in a read committed transaction, or give the source a connection of its own.",
            )
    elif not origin.autocommit:
        raise WatermarkError(
            "The connection to the source opens a transaction with each first statement, and keeps it.",
            advice="Give a connection in autocommit mode: connect(dsn, autocommit=True).",
        )
    elif origin.info.transaction_status is not pq.TransactionStatus.IDLE:
        raise WatermarkError(
            "The connection to the source is in a transaction, which may see an old state.",
            advice="Commit it first, or give a connection in autocommit mode.",
        )
