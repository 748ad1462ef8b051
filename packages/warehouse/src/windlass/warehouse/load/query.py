"""Queries run inside another statement: their columns, and their rows read as a table's columns read text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.load.copying import columns_named
from windlass.warehouse.load.table import Column, PgConnection, Table
from windlass.warehouse.transform.bind import BoundStatement, explain_failure

__all__ = ["QueryColumn", "query_columns", "run_around", "stage_query", "typed_values"]


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """A column of a query: its name, type and full type name."""

    name: str
    type_oid: int
    type_name: str


def query_columns(connection: PgConnection, query: BoundStatement) -> list[QueryColumn]:
    """The query's columns, without running it.

    Raises:
        StatementError: The query is wrong.
    """
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
        found = [(column.name, column.type_code) for column in cursor.description or ()]
        cursor.execute(
            "select format_type(o, m) from unnest(%s::oid[], %s::integer[]) as t (o, m)",
            [[oid for _, oid in found], [result.fmod(number) for number in range(len(found))]],
        )
        return [QueryColumn(name, oid, kind) for (name, oid), (kind,) in zip(found, cursor, strict=True)]


def typed_values(found: Sequence[QueryColumn], columns: Sequence[Column]) -> sql.Composed:
    """The query's columns; values of another type go through text, as they would by COPY."""
    return sql.SQL(", ").join(
        sql.Identifier(item.name)
        if item.type_name == column.type_name
        else sql.SQL("{0}::text::{1} as {0}").format(sql.Identifier(item.name), sql.SQL(column.type_name))
        for item, column in zip(found, columns, strict=True)
    )


def run_around(connection: PgConnection, start: sql.Composed, query: BoundStatement, end: str = "") -> int:
    """Run a statement around a query; how many rows it made.

    Raises:
        StatementError: The query failed; it points into its text.
    """
    prefix = start.as_string(connection)
    text = f"{prefix}{query.text}\n) as windlass_row{end}"
    try:
        return connection.execute(text.encode(connection.info.encoding)).rowcount
    except psycopg.errors.IntegrityError:
        raise
    except psycopg.Error as error:
        raise explain_failure(error, query, prefix=len(prefix)) from error


def stage_query(
    connection: PgConnection, target: Table, query: BoundStatement, *, stage: sql.Identifier
) -> list[str]:
    """Set the rows of a query aside in a temporary table; the names of its columns.

    Raises:
        TableError: A column is unknown to the target or cannot be written.
        StatementError: The query failed.
    """
    found = query_columns(connection, query)
    columns = columns_named(target, [item.name for item in found], source="The query")
    run_around(
        connection,
        sql.SQL("create temporary table {} on commit drop as select {} from (\n").format(
            stage, typed_values(found, columns)
        ),
        query,
    )
    return [column.name for column in columns]
