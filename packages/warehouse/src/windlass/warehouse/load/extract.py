"""Rows streamed from a query into a table: by COPY from PostgreSQL, by cursor from any other database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Protocol, TypeAlias, runtime_checkable

import psycopg
from psycopg import sql as pgsql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from windlass.warehouse.errors import LoadError
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.load.copying import (
    Mode,
    columns_named,
    copy_statement,
    lock_for_replacing,
    remove_old_rows,
)
from windlass.warehouse.load.table import Column, PgConnection, Table, describe_table, names
from windlass.warehouse.transform.bind import BoundStatement, advice_for, explain_failure, single_query
from windlass.warehouse.transform.script import read_script

__all__ = ["DbApiConnection", "ExtractResult", "extract_load"]

_BLOCK = 256 * 1024
_BATCH = 5_000
_FIRST_USER_OID = 16_384


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
            target = describe_table(connection, table)
            if mode == "replace":
                lock_for_replacing(connection, target)
                if origin is not connection:
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


def _where(error: psycopg.Error) -> str:
    context = (error.diag.context or "").partition("\n")[0]
    return f" ({context})" if context else ""


def _query_columns(connection: PgConnection, query: BoundStatement) -> list[tuple[str, int, str]]:
    """Name, type and full type name of the query's columns, without running it."""
    prefix = "select * from (\n"
    with connection.cursor(row_factory=tuple_row) as cursor:
        try:
            cursor.execute(
                f"{prefix}{query.text}\n) as windlass_row limit 0".encode(connection.info.encoding)
            )
        except psycopg.Error as error:
            raise explain_failure(error, query, prefix=len(prefix)) from error
        result = cursor.pgresult
        assert result is not None
        found = [
            (column.name, column.type_code, result.fmod(n))
            for n, column in enumerate(cursor.description or ())
        ]
        oids, modifiers = [item[1] for item in found], [item[2] for item in found]
        cursor.execute(
            "select format_type(o, m) from unnest(%s::oid[], %s::integer[]) as t (o, m)", [oids, modifiers]
        )
        return [(name, oid, kind) for (name, oid, _), (kind,) in zip(found, cursor, strict=True)]


def _within(connection: PgConnection, target: Table, query: BoundStatement, *, mode: Mode) -> int:
    """Inside the server; values of another type go through text, as they would by COPY."""
    found = _query_columns(connection, query)
    columns = columns_named(target, [name for name, *_ in found], source="The query")
    values = pgsql.SQL(", ").join(
        pgsql.Identifier(name)
        if kind == column.type_name
        else pgsql.SQL("{0}::text::{1} as {0}").format(pgsql.Identifier(name), pgsql.SQL(column.type_name))
        for (name, _, kind), column in zip(found, columns, strict=True)
    )
    wanted = names(column.name for column in columns)
    into = pgsql.SQL("insert into {} ({}) select {} from ").format(target.name.identifier, wanted, wanted)
    if mode == "append":
        return _run(connection, pgsql.SQL("{}(select {} from (\n").format(into, values), query, ") as typed")
    # The query may read the table itself, by a view or a function too: its rows are set aside first.
    _run(
        connection,
        pgsql.SQL("create temporary table windlass_extract on commit drop as select {} from (\n").format(
            values
        ),
        query,
    )
    remove_old_rows(connection, target)
    cursor = connection.execute(pgsql.SQL("{} pg_temp.windlass_extract").format(into))
    connection.execute("drop table pg_temp.windlass_extract")
    return cursor.rowcount


def _run(connection: PgConnection, start: pgsql.Composed, query: BoundStatement, end: str = "") -> int:
    """Run a statement around a query; failures point into the query."""
    prefix = start.as_string(connection)
    text = f"{prefix}{query.text}\n) as windlass_row{end}"
    try:
        return connection.execute(text.encode(connection.info.encoding)).rowcount
    except psycopg.errors.IntegrityError:
        raise
    except psycopg.Error as error:
        raise explain_failure(error, query, prefix=len(prefix)) from error


def _between(origin: PgConnection, connection: PgConnection, target: Table, query: BoundStatement) -> int:
    """COPY out of one connection into another, binary where every type is the same."""
    with origin.transaction():
        found = _query_columns(origin, query)
        columns = columns_named(target, [name for name, *_ in found], source="The query")
        options = "format binary" if _same_types(found, columns) else "format text"
        options += ", encoding 'UTF8'"
        prefix = "copy (\n"
        text = f"{prefix}{query.text}\n) to stdout with ({options})"
        statement = copy_statement(target, columns, pgsql.SQL(options))
        with origin.cursor() as reader, connection.cursor() as writer:
            with writer.copy(statement) as into:
                try:
                    with reader.copy(text.encode(origin.info.encoding)) as out:
                        for block in _blocks(out):
                            into.write(block)
                except psycopg.Error as error:
                    if error.diag.statement_position or (not writer.connection.broken and origin.broken):
                        raise explain_failure(error, query, prefix=len(prefix)) from error
                    raise
            return writer.rowcount


def _same_types(found: list[tuple[str, int, str]], columns: tuple[Column, ...]) -> bool:
    # Types of extensions and users have other numbers, and other formats, in another database.
    return all(
        oid == column.type_oid and kind == column.type_name and oid < _FIRST_USER_OID
        for (_, oid, kind), column in zip(found, columns, strict=True)
    )


def _blocks(copy: psycopg.Copy) -> Iterator[bytes]:
    """Rows joined to larger blocks: psycopg gives them one by one."""
    parts: list[bytes] = []
    size = 0
    while data := copy.read():
        parts.append(bytes(data))
        size += len(data)
        if size >= _BLOCK:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _from_cursor(
    connection: PgConnection,
    target: Table,
    source: DbApiConnection,
    text: str,
    parameters: Mapping[str, Any] | None,
) -> int:
    reader = source.cursor()
    try:
        try:
            reader.execute(text, parameters) if parameters else reader.execute(text)
        except Exception as error:
            raise LoadError(
                f"The source refuses the query: {error}", advice="Check it in the source's own dialect."
            ) from error
        if not reader.description:
            raise LoadError("The query returns no rows that could be loaded.", advice="Give a select.")
        found = [item[0] for item in reader.description]
        columns = columns_named(target, found, source="The query")
        with connection.cursor() as writer:
            with writer.copy(copy_statement(target, columns, pgsql.SQL("format text"))) as copy:
                while batch := reader.fetchmany(_BATCH):
                    for row in batch:
                        copy.write_row([Jsonb(value) if isinstance(value, dict) else value for value in row])
            return writer.rowcount
    finally:
        reader.close()
