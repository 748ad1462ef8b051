"""Pieces of SQL that several statements share: columns, keys joined column by column, typed comparison."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from windlass.warehouse.load.table import Column

__all__ = ["CHANGE", "STATEMENT", "TEMPORARY", "WOVEN", "WRITE", "at", "columns", "differs", "joined", "same"]

STATEMENT = sql.Identifier("pg_temp", "windlass_statement")
"""The query's rows, typed as the dimension's columns."""
CHANGE = sql.Identifier("pg_temp", "windlass_change")
"""Keys whose state at a snapshot's instant differs from the snapshot."""
WOVEN = sql.Identifier("pg_temp", "windlass_woven")
"""Everything known of the keys concerned, old and new, in order."""
WRITE = sql.Identifier("pg_temp", "windlass_write")
"""Versions to be written, moved or removed."""
TEMPORARY = (STATEMENT, CHANGE, WOVEN, WRITE)


def at(alias: str, name: str) -> sql.Composed:
    """A column of a table's alias."""
    return sql.SQL("{}.{}").format(sql.SQL(alias), sql.Identifier(name))


def joined(parts: Iterable[sql.Composable], separator: str = ", ") -> sql.Composed:
    """Pieces joined by a separator."""
    return sql.SQL(separator).join(parts)


def columns(alias: str, wanted: Iterable[Column]) -> sql.Composed:
    """Columns of an alias as a list."""
    return joined(at(alias, column.name) for column in wanted)


def same(left: str, right: str, key: Iterable[Column]) -> sql.Composed:
    """Whether two rows have the same key, each column compared as its type compares."""
    return joined(
        (sql.SQL("{} = {}").format(at(left, column.name), at(right, column.name)) for column in key), " and "
    )


def differs(
    pairs: Iterable[tuple[Column, sql.Composable, sql.Composable]], *, otherwise: str = "false"
) -> sql.Composable:
    """Whether any pair of values differs, nulls being equal to each other.

    Args:
        pairs: The column they are of, and SQL of both values.
        otherwise: The SQL when there is no pair.
    """
    tests = [
        sql.SQL(
            "{} is distinct from {}" if column.comparable else "{}::text is distinct from {}::text"
        ).format(left, right)
        for column, left, right in pairs
    ]
    return sql.SQL("({})").format(joined(tests, " or ")) if tests else sql.SQL(otherwise)
