"""Rows that do not fit the dimension's columns, named: their key, the column and the value."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import HistoryError, LoadError
from windlass.warehouse.load.table import Column, PgConnection
from windlass.warehouse.scd2.dimension import Dimension
from windlass.warehouse.scd2.fragments import joined
from windlass.warehouse.scd2.model import Source
from windlass.warehouse.transform.bind import BoundStatement, explain_failure

__all__ = ["SHOWN", "unfit_rows"]

SHOWN = 5
"""How many rows a message names."""
_ADVICE = (
    "Nothing was changed. Mend the source or the query; to set rows with problems aside with their reasons, "
    "publish them into a table with the same constraints before."
)
_RAW = sql.Identifier("pg_temp", "windlass_raw")


def unfit_rows(
    connection: PgConnection,
    query: BoundStatement,
    *,
    dimension: Dimension,
    source: Source,
    error: psycopg.Error,
) -> LoadError:
    """Find out which rows PostgreSQL refused, by keeping them as the query gives them.

    Args:
        connection: Connection in the application's transaction, the failure rolled back.
        query: The query.
        dimension: The dimension.
        source: The query's columns that are not the dimension's.
        error: The refusal.

    Returns:
        The error to raise: of the query itself if it fails alone.
    """
    prefix = "create temporary table windlass_raw on commit drop as select * from (\n"
    text = f"{prefix}{query.text}\n) as windlass_row"
    try:
        connection.execute(text.encode(connection.info.encoding), prepare=False)
    except psycopg.Error as failure:
        return explain_failure(failure, query, prefix=len(prefix))
    required = [column.name for column in dimension.key]
    required += [source.effective_at] if source.effective_at is not None else []
    for name in required:
        null = sql.SQL("{} is null").format(sql.Identifier(name))
        found = _rows(connection, dimension, null, sql.Identifier(name))
        if found:
            return HistoryError(f"{name} is null in {_told(dimension, found)}", advice=_ADVICE)
    typed = {column.name: column for column in (*dimension.key, *dimension.values)}
    if source.effective_at is not None:
        typed.setdefault(source.effective_at, dimension.begins)
    for name, column in typed.items():
        found = _rows(connection, dimension, _unreadable(name, column), sql.Identifier(name))
        if found:
            return HistoryError(
                f"{name} does not fit {column.type_name} in {_told(dimension, found, value=name)}",
                advice=_ADVICE,
            )
    return explain_failure(error, query, prefix=len(query.text) + len(prefix))


def _unreadable(name: str, column: Column) -> sql.Composed:
    return sql.SQL("not ops.is_valid_input({}::text, {})").format(
        sql.Identifier(name), sql.Literal(column.type_name)
    )


def _rows(
    connection: PgConnection, dimension: Dimension, condition: sql.Composable, value: sql.Composable
) -> list[tuple[object, ...]]:
    """The first rows with a problem: how many there are, the value, and the key."""
    key = joined(sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in dimension.key)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            sql.SQL("select count(*) over (), left({}::text, 100), {} from {} where {} limit {}").format(
                value, key, _RAW, condition, sql.Literal(SHOWN)
            )
        )
        return cursor.fetchall()


def _told(dimension: Dimension, found: list[tuple[object, ...]], *, value: str | None = None) -> str:
    count = found[0][0]
    rows = [
        dimension.named(row[2:]) + (f" ({value} = {row[1]!r})" if value is not None else "") for row in found
    ]
    return f"{count} row{'s' if count != 1 else ''} of the query, e.g. {'; '.join(rows)}."
