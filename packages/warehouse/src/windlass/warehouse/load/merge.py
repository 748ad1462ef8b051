"""SQL that brings rows into a table by key: only what is new is inserted, only what differs is updated."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from windlass.warehouse.load.table import Column, Table, names

__all__ = ["differ", "insert_absent", "matches", "update_differing"]


def matches(key: Sequence[str]) -> sql.Composed:
    """The condition that target row `t` and new row `a` have the same key."""
    return sql.SQL(" and ").join(sql.SQL("t.{0} = a.{0}").format(sql.Identifier(name)) for name in key)


def differ(columns: Sequence[Column]) -> sql.Composable:
    """The condition that `t` and `a` differ in one of some columns."""
    return sql.SQL(" or ").join(map(_differs, columns)) if columns else sql.SQL("false")


def _differs(column: Column) -> sql.Composed:
    test = "t.{0} is distinct from a.{0}" if column.comparable else "t.{0}::text is distinct from a.{0}::text"
    return sql.SQL(test).format(sql.Identifier(column.name))


def update_differing(
    target: Table,
    source: sql.Composable,
    *,
    columns: Sequence[Column],
    key: Sequence[str],
    where: sql.Composable,
) -> sql.Composed | None:
    """Update the target's rows that differ from the source's row of the same key.

    Args:
        target: The table.
        source: Name of the table with the new rows, its columns named as the target's.
        columns: The columns the new rows bring, those of the key among them.
        key: The key.
        where: Which of the new rows, by alias `a`.

    Returns:
        The statement; None when there is no column beside the key.
    """
    values = [column for column in columns if column.name not in key]
    if not values:
        return None
    return sql.SQL("update {} as t set {} from {} as a where {} and {} and ({})").format(
        target.name.identifier,
        sql.SQL(", ").join(sql.SQL("{0} = a.{0}").format(sql.Identifier(column.name)) for column in values),
        source,
        matches(key),
        where,
        differ(values),
    )


def insert_absent(
    target: Table,
    source: sql.Composable,
    *,
    columns: Sequence[Column],
    key: Sequence[str],
    where: sql.Composable,
) -> sql.Composed:
    """Insert the rows of the source whose key the target lacks; arguments as of `update_differing`."""
    written = [column.name for column in columns]
    return sql.SQL(
        "insert into {target} ({names}) select {values} from {source} as a where {where} "
        "and not exists (select from {target} as t where {matches})"
    ).format(
        target=target.name.identifier,
        names=names(written),
        values=sql.SQL(", ").join(sql.SQL("a.{}").format(sql.Identifier(name)) for name in written),
        source=source,
        where=where,
        matches=matches(key),
    )
