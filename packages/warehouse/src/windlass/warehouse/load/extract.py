"""Rows streamed from a query into a table: by COPY from PostgreSQL, by cursor from any other database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any, Protocol, TypeAlias, runtime_checkable

import psycopg
from psycopg import sql as pgsql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import LoadError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.copying import (
    Mode,
    columns_named,
    copy_statement,
    locked_table,
    remove_old_rows,
)
from windlass.warehouse.load.query import QueryColumn, query_columns, run_around, stage_query, typed_values
from windlass.warehouse.load.rows import write_rows
from windlass.warehouse.load.table import Column, PgConnection, Table, names
from windlass.warehouse.transform.bind import BoundStatement, advice_for, explain_failure, single_query
from windlass.warehouse.transform.script import read_script

__all__ = ["DbApiConnection", "ExtractResult", "extract_load"]

_BLOCK = 256 * 1024
_BATCH = 5_000
_FIRST_USER_OID = 16_384
_EXACT = {"datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "1"}
_SET = "select set_config(%s, %s, true)"
_STAGE = pgsql.Identifier("pg_temp", "windlass_extract")


@runtime_checkable
class DbApiConnection(Protocol):
    """A connection as PEP 249 has it, e.g. what an Airflow `DbApiHook.get_conn()` returns."""

    def cursor(self) -> Any:
        """A new cursor."""


Source: TypeAlias = PgConnection | DbApiConnection


@dataclass(frozen=True, slots=True)
class ExtractResult:
    """How many rows were loaded into which table."""

    table: str
    rows: int


def extract_load(
    connection: PgConnection,
    *,
    table: str,
    sql: str | None = None,
    sql_file: str | PathLike[str] | None = None,
    source: Source | None = None,
    parameters: Mapping[str, Any] | None = None,
    mode: Mode = "replace",
    context: RunContext = NO_TASK,
) -> ExtractResult:
    """Load the rows of a query, its columns matched to the table's by name.

    Memory stays the same whatever the number of rows, as long as the source's driver streams its results.

    Args:
        connection: Connection to the warehouse; a transaction of its own, or a savepoint inside the caller's.
        table: The table to load, `schema.name`.
        sql: The query, in the source's dialect.
        sql_file: A UTF-8 file with it, instead of `sql`.
        source: Where to run the query: a psycopg connection, a PEP 249 connection, or None for
        `connection` itself.
        parameters: Values for `%(name)s`. For a PEP 249 source they go to the driver, in its own style.
        mode: `replace` removes the table's rows first, in the same transaction; `append` keeps them.
        context: Who loads: bound like parameters, for PostgreSQL sources.

    Raises:
        StatementError: The query failed, at file:line:column.
        TableError: A column is unknown or cannot be written.
        LoadError: The rows do not fit the table. Nothing was loaded.
    """
    script = read_script(sql=sql, sql_file=sql_file)
    origin = connection if source is None else source
    try:
        with writing(connection, context):
            _speak_utf8(connection)
            target = locked_table(connection, table, mode=mode)
            if mode == "replace" and origin is not connection:
                remove_old_rows(connection, target)
            if not isinstance(origin, psycopg.Connection):
                rows = _from_cursor(connection, target, origin, script.text, parameters)
            else:
                query = single_query(origin, script, parameters=parameters or {}, always=context.parameters())
                if origin is connection:
                    rows = _within(connection, target, query, mode=mode)
                else:
                    rows = _between(origin, connection, target, query)
    except psycopg.Error as error:
        raise LoadError(
            f"The rows do not go into {table}: {error.diag.message_primary or error}"
            f"{_where(error)}. Nothing was loaded.",
            advice=advice_for(error),
        ) from error
    return ExtractResult(str(target), rows)


def _speak_utf8(connection: PgConnection) -> None:
    """Exchange text as UTF-8 until the transaction ends: binary COPY knows no encoding but the session's."""
    if connection.info.encoding != "utf-8":
        connection.execute("set local client_encoding to 'UTF8'")


def _where(error: psycopg.Error) -> str:
    context = (error.diag.context or "").partition("\n")[0]
    return f" ({context})" if context else ""


def _columns(target: Table, names: Iterable[str]) -> tuple[Column, ...]:
    return columns_named(target, names, source="The query", complete=True)


def _within(connection: PgConnection, target: Table, query: BoundStatement, *, mode: Mode) -> int:
    """Inside the server; values of another type go through text, as they would by COPY."""
    found = query_columns(connection, query)
    columns = _columns(target, [item.name for item in found])
    wanted = names(column.name for column in columns)
    into = pgsql.SQL("insert into {} ({}) select {} from ").format(target.name.identifier, wanted, wanted)
    if mode == "append":
        values = typed_values(found, columns)
        return run_around(
            connection, pgsql.SQL("{}(select {} from (\n").format(into, values), query, ") as typed"
        )
    # The query may read the table itself, by a view or a function too: its rows are set aside first.
    stage_query(connection, target, query, stage=_STAGE)
    remove_old_rows(connection, target)
    cursor = connection.execute(pgsql.SQL("{} {}").format(into, _STAGE))
    connection.execute(pgsql.SQL("drop table {}").format(_STAGE))
    return cursor.rowcount


def _between(origin: PgConnection, connection: PgConnection, target: Table, query: BoundStatement) -> int:
    """COPY out of one connection into another, binary where every type is the same."""
    with origin.transaction(), _exact_text(origin):
        _speak_utf8(origin)
        found = query_columns(origin, query)
        columns = _columns(target, [item.name for item in found])
        options = "format binary" if _same_types(found, columns) else "format text"
        options += ", encoding 'UTF8'"
        statement = copy_statement(target, columns, pgsql.SQL(options))
        with connection.cursor() as writer:
            with writer.copy(statement) as into:
                for block in _copied_out(origin, query, options):
                    into.write(block)
            return writer.rowcount


@contextmanager
def _exact_text(origin: PgConnection) -> Iterator[None]:
    """Have values written as any session reads them: 1 February is no 2 January, and no digit is cut."""
    with origin.cursor(row_factory=tuple_row) as cursor:
        names = list(_EXACT)
        get = "select name, current_setting(name) from unnest(%s::text[]) as name"
        before = cursor.execute(get, [names]).fetchall()
        cursor.executemany(_SET, list(_EXACT.items()))
        yield
        cursor.executemany(_SET, before)


def _copied_out(origin: PgConnection, query: BoundStatement, options: str) -> Iterator[bytes]:
    """The rows of a query as COPY gives them, joined to larger blocks: psycopg gives them one by one.

    Raises:
        StatementError: The source failed, not the target.
    """
    prefix = "copy (\n"
    text = f"{prefix}{query.text}\n) to stdout with ({options})"
    parts: list[bytes] = []
    size = 0
    try:
        with origin.cursor() as reader, reader.copy(text.encode(origin.info.encoding)) as out:
            while data := out.read():
                parts.append(bytes(data))
                size += len(data)
                if size >= _BLOCK:
                    # What the target says to it is raised there, and comes here as GeneratorExit.
                    yield b"".join(parts)
                    parts, size = [], 0
    except psycopg.Error as error:
        raise explain_failure(error, query, prefix=len(prefix)) from error
    yield b"".join(parts)


def _same_types(found: Sequence[QueryColumn], columns: Sequence[Column]) -> bool:
    # Types of extensions and users have other numbers, and other formats, in another database.
    return all(
        item.type_oid == column.type_oid
        and item.type_name == column.type_name
        and item.type_oid < _FIRST_USER_OID
        for item, column in zip(found, columns, strict=True)
    )


def _from_cursor(
    connection: PgConnection,
    target: Table,
    source: DbApiConnection,
    text: str,
    parameters: Mapping[str, Any] | None,
) -> int:
    """Fetch the rows of a PEP 249 cursor in batches and COPY them."""
    with closing(source.cursor()) as reader:
        try:
            reader.execute(text, parameters) if parameters else reader.execute(text)
        except Exception as error:
            raise LoadError(
                f"The source refuses the query: {error}", advice="Check it in the source's own dialect."
            ) from error
        if not reader.description:
            raise LoadError("The query returns no rows that could be loaded.", advice="Give a select.")
        columns = _columns(target, [item[0] for item in reader.description])
        return write_rows(connection, target, target.name.identifier, columns, _fetched(reader))


def _fetched(reader: Any) -> Iterator[Any]:
    count = 0
    while True:
        try:
            batch = reader.fetchmany(_BATCH)
        except Exception as error:
            raise LoadError(
                f"The source failed after {count} rows: {error}. Nothing was loaded.",
                advice="Check the source's log and the connection to it, and run it again.",
            ) from error
        if not batch:
            return
        count += len(batch)
        yield from batch
