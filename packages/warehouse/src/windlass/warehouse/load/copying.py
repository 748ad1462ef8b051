"""COPY into a table: the columns to fill, and the old rows to remove first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeAlias

from psycopg import sql

from windlass.warehouse.errors import TableError
from windlass.warehouse.load.table import Column, PgConnection, Table, describe_table, names

__all__ = ["Mode", "columns_named", "copy_statement", "lock_for_replacing", "locked_table", "remove_old_rows"]

Mode: TypeAlias = Literal["replace", "append"]


def columns_named(
    table: Table, wanted: Iterable[str], *, source: str, complete: bool = False
) -> tuple[Column, ...]:
    """The table's columns of these names, in this order.

    Args:
        table: The table to load.
        wanted: Column names as the source has them.
        source: What the source is, for messages.
        complete: Whether columns that must have a value, and get none from the table, have to be there.

    Raises:
        TableError: A name is unknown, there twice, or of a column that fills itself; or one is missing. All
        that is wrong is told at once.
    """
    brought = list(wanted)
    problems = {
        f", unknown to {table}": [name for name in brought if name not in table.columns],
        " twice": [name for name, count in Counter(brought).items() if count > 1],
        f", which {table} fills itself": [
            name for name in brought if name in table.columns and not table.columns[name].is_writable
        ],
    }
    told = [
        f"{source} brings column {_listed(found)}{problem}." for problem, found in problems.items() if found
    ]
    if not brought:
        told.append(f"{source} brings no column.")
    missing = [
        column.name
        for column in table.columns.values()
        if complete and column.not_null and not column.is_filled_by_table and column.name not in brought
    ]
    if missing:
        told.append(f"{table} needs column {_listed(missing)}, which {source.lower()} does not bring.")
    if told:
        raise TableError(" ".join(told), table=str(table), advice=f"{table} has: {', '.join(table.columns)}.")
    return tuple(table.columns[name] for name in brought)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, dict.fromkeys(names)))


def copy_statement(
    table: Table, columns: Iterable[Column], options: sql.Composable, *, into: sql.Composable | None = None
) -> sql.Composed:
    """`copy ... from stdin` for some columns of a table, or of a stage with the same columns."""
    return sql.SQL("copy {} ({}) from stdin with ({})").format(
        into or table.name.identifier,
        names(column.name for column in columns),
        options,
    )


def locked_table(connection: PgConnection, text: str, *, mode: Mode) -> Table:
    """Look a table up and lock it for a load, as it is once the lock is there: a migration may have held it.

    Args:
        connection: Connection in a transaction.
        text: Its name as a user wrote it.
        mode: `replace` has other writers wait; `append` takes what every insert takes.

    Raises:
        TableError: There is no such table.
    """
    table = describe_table(connection, text)
    if mode == "replace":
        lock_for_replacing(connection, table)
    else:
        lock = sql.SQL("lock table {} in row exclusive mode")
        connection.execute(lock.format(table.name.identifier))
    return describe_table(connection, text)


def lock_for_replacing(connection: PgConnection, table: Table) -> None:
    """Have other writers wait, so that two replacing loads give the rows of one of them; readers go on."""
    connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(table.name.identifier))


def remove_old_rows(connection: PgConnection, table: Table) -> None:
    """Empty a table within the load's transaction: readers see the old rows until the new ones are there.

    What was loaded from files is gone, so `ops.loaded_file` forgets it.
    """
    connection.execute(sql.SQL("delete from {}").format(table.name.identifier))
    connection.execute("delete from ops.loaded_file where target_table = %s", [table.ledger_name])
