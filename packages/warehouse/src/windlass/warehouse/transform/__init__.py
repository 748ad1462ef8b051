"""SQL files as tasks: many statements, one transaction, row counts, errors with file:line:column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from os import PathLike
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Literal

from windlass.warehouse.errors import LoadError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.transform.bind import (
    BoundStatement,
    bind,
    check_parameters,
    explain_failure,
    single_query,
)
from windlass.warehouse.transform.script import read_script

__all__ = ["MAX_RESULT_ROWS", "StatementResult", "TransformResult", "query", "transform"]

MAX_RESULT_ROWS = 100
"""Most rows a last statement may return: a result is a summary for people, not a way to move data."""


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What one statement did.

    Attributes:
        rows: Rows it wrote or returned.
        command: What PostgreSQL calls it, e.g. `INSERT` or `CREATE TABLE`.
    """

    rows: int
    command: str


@dataclass(frozen=True, slots=True)
class TransformResult:
    """What a script did.

    Attributes:
        statements: One result a statement, in order.
        result: Rows of the last statement, if it returns any, as JSON values.
    """

    statements: tuple[StatementResult, ...]
    result: tuple[dict[str, Any], ...]


def transform(
    connection: PgConnection,
    *,
    sql: str | None = None,
    sql_file: str | PathLike[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    context: RunContext = NO_TASK,
) -> TransformResult:
    """Run all statements of a SQL text in one transaction.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        sql: The statements.
        sql_file: A UTF-8 file of them, instead of `sql`.
        parameters: Values for `%(name)s`; each must be used. Dicts are bound as jsonb.
        context: Who runs it: `%(dag_id)s`, `%(run_id)s`, `%(task_id)s`, `%(map_index)s`, `%(try_number)s` and
            `%(logical_date)s` are always there.

    Returns:
        Row counts by statement, and the last statement's rows (at most `MAX_RESULT_ROWS`).

    Raises:
        StatementError: A statement failed, at file:line:column; nothing was changed.
        ParameterError: A parameter is missing, unknown or cannot be bound.
        LoadError: The file cannot be read, or the result has too many rows.
    """
    script = read_script(sql=sql, sql_file=sql_file)
    statements = script.statements()
    if not statements:
        raise script.failure(f"{script.name} has no statement.", 0, advice="Write one, or remove the task.")
    values = check_parameters(script, statements, parameters or {}, context.parameters())
    bound = [bind(connection, script, statement, values) for statement in statements]
    rows: tuple[dict[str, Any], ...] = ()
    with writing(connection, context), connection.cursor(row_factory=tuple_row) as cursor:
        done = [_execute(cursor, statement) for statement in bound]
        if bound and cursor.description:
            rows = _result(cursor, bound[-1])
    return TransformResult(tuple(done), rows)


def query(
    connection: PgConnection,
    *,
    sql: str | None = None,
    sql_file: str | PathLike[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    max_rows: int = 1000,
    context: RunContext = NO_TASK,
) -> tuple[dict[str, Any], ...]:
    """Run one query, in a transaction that can only read.

    Args:
        connection: Connection to the warehouse, outside a transaction.
        sql: The query.
        sql_file: A UTF-8 file with it, instead of `sql`.
        parameters: Values for `%(name)s`; each must be used.
        max_rows: Most rows it may return.
        context: Who runs it, see `transform`.

    Returns:
        Its rows as JSON values by column name.

    Raises:
        StatementError: It failed, writes, is no query, or is more than one statement.
        ParameterError: A parameter is missing, unknown or cannot be bound.
        LoadError: The file cannot be read, or the query returns too many rows.
    """
    script = read_script(sql=sql, sql_file=sql_file)
    bound = single_query(connection, script, parameters=parameters or {}, always=context.parameters())
    prefix = "declare windlass_rows no scroll cursor for\n"
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("set transaction read only")
        try:
            cursor.execute(f"{prefix}{bound.text}".encode(connection.info.encoding), prepare=False)
            # One row too many is enough to know; all of a large table would fill the memory.
            cursor.execute(SQL("fetch forward {} from windlass_rows").format(Literal(max_rows + 1)))
        except psycopg.Error as error:
            raise explain_failure(error, bound, prefix=len(prefix)) from error
        rows = _result(cursor, bound, most=max_rows)
        cursor.execute("close windlass_rows")
    return rows


def _execute(cursor: psycopg.Cursor[Any], statement: BoundStatement) -> StatementResult:
    try:
        cursor.execute(statement.text.encode(cursor.connection.info.encoding), prepare=False)
    except psycopg.Error as error:
        raise explain_failure(error, statement) from error
    status = cursor.statusmessage or ""
    return StatementResult(max(cursor.rowcount, 0), status.rstrip("0123456789 "))


def _result(
    cursor: psycopg.Cursor[Any], statement: BoundStatement, *, most: int = MAX_RESULT_ROWS
) -> tuple[dict[str, Any], ...]:
    if cursor.rowcount > most:
        raise LoadError(
            f"The last statement of {statement.script.name} returns more than {most} rows.",
            advice="Summarise or limit it, or write the rows to a table.",
        )
    titles = [column.name for column in cursor.description or ()]
    try:
        return tuple(dict(zip(titles, map(_json_value, row), strict=True)) for row in cursor)
    except psycopg.DataError as error:
        raise LoadError(
            f"The result of {statement.script.name} has a value Python cannot hold: {error}.",
            advice="Cast it to text in the last statement.",
        ) from error


def _json_value(value: Any) -> Any:
    """A value as JSON has it: exact numbers stay numbers where a float holds them, all else is text."""
    match value:
        case None | bool() | int() | str():
            found: Any = value
        case float():
            found = value if math.isfinite(value) else str(value)
        case Decimal():
            found = _json_number(value)
        case dict():
            found = {str(key): _json_value(item) for key, item in value.items()}
        case list() | tuple():
            found = [_json_value(item) for item in value]
        case date() | time():
            found = value.isoformat()
        case timedelta():
            found = value.total_seconds()
        case UUID():
            found = str(value)
        case _:
            found = repr(value)
    return found


def _json_number(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)
