"""COPY into a table: the columns to fill, and the old rows to remove first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from psycopg import sql

from windlass.warehouse.errors import TableError
from windlass.warehouse.load.table import Column, PgConnection, Table, names

__all__ = ["Mode", "columns_named", "copy_statement", "lock_for_replacing", "remove_old_rows"]

Mode: TypeAlias = Literal["replace", "append"]


def columns_named(table: Table, wanted: Iterable[str], *, source: str) -> tuple[Column, ...]:
    """The table's columns of these names, in this order.

    Args:
        table: The table to load.
        wanted: Column names as the source has them.
        source: What the source is, for messages.

    Raises:
        TableError: A name is unknown, there twice, or of a column that fills itself.
    """
    found: dict[str, Column] = {}
    for name in wanted:
        column = table.columns.get(name)
        if column is None:
            advice = f"It has: {', '.join(table.columns)}."
            raise TableError(
                f"{source} brings column {name!r}, unknown to {table}.", table=str(table), advice=advice
            )
        if name in found:
            raise TableError(
                f"{source} brings column {name!r} twice.", table=str(table), advice="Rename one."
            )
        if not column.is_writable:
            raise TableError(
                f"{source} brings column {name!r}, which {table} fills itself.",
                table=str(table),
                advice="Leave it out.",
            )
        found[name] = column
    return tuple(found.values())


def copy_statement(table: Table, columns: Iterable[Column], options: sql.Composable) -> sql.Composed:
    """`copy ... from stdin` for some columns of a table."""
    return sql.SQL("copy {} ({}) from stdin with ({})").format(
        table.name.identifier,
        names(column.name for column in columns),
        options,
    )


def lock_for_replacing(connection: PgConnection, table: Table) -> None:
    """Have other writers wait, so that two replacing loads give the rows of one of them; readers go on."""
    connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(table.name.identifier))


def remove_old_rows(connection: PgConnection, table: Table) -> None:
    """Empty a table within the load's transaction: readers see the old rows until the new ones are there.

    What was loaded from files is gone, so `ops.loaded_file` forgets it.
    """
    connection.execute(sql.SQL("delete from {}").format(table.name.identifier))
    connection.execute("delete from ops.loaded_file where target_table = %s", [table.ledger_name])
