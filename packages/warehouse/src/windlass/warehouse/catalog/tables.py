"""Tables as a reader wants them explained: columns, keys, references and comments."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import psycopg

from windlass.warehouse.errors import TableError

__all__ = ["Column", "Reference", "Schema", "Table", "read_schemas"]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its name.
        type: Its type in PostgreSQL's words.
        nullable: Whether it may be null.
        default: Its default as SQL.
        generated: The expression it is computed by.
        is_identity: Whether it numbers its rows itself.
        comment: What it means.
    """

    name: str
    type: str
    nullable: bool
    default: str | None
    generated: str | None
    is_identity: bool
    comment: str | None


@dataclass(frozen=True)
class Reference:
    """A foreign key.

    Attributes:
        columns: The columns that refer.
        schema: Schema of the table referred to.
        table: Its name.
        target_columns: The columns referred to.
    """

    columns: tuple[str, ...]
    schema: str
    table: str
    target_columns: tuple[str, ...]

    @property
    def target(self) -> str:
        """Schema and name of the table referred to."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Table:
    """A table or view.

    Attributes:
        schema: Its schema.
        name: Its name.
        kind: table, view, materialized view or foreign table.
        comment: What it holds.
        columns: Its columns in order.
        primary_key: Columns of its primary key; empty when it has none.
        unique: Columns of each unique constraint.
        checks: Its CHECK constraints as SQL.
        references: Its foreign keys.
    """

    schema: str
    name: str
    kind: str
    comment: str | None
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    checks: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def title(self) -> str:
        """Schema and name."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Schema:
    """A schema with its tables."""

    name: str
    comment: str | None
    tables: tuple[Table, ...]


@cache
def _query() -> bytes:
    return resources.files(__package__).joinpath("tables.sql").read_bytes()


def read_schemas(
    connection: psycopg.Connection[tuple[Any, ...]], *, names: Collection[str] = ()
) -> tuple[Schema, ...]:
    """Read what a reader wants to know of schemas.

    Args:
        connection: Any connection; its transaction, if there is one, goes on.
        names: Schemas to read; by default all that are not the system's and have tables.

    Returns:
        The schemas by name, each with its tables by name.

    Raises:
        TableError: There is no schema of a name.
    """
    rows = connection.execute(_query(), {"schemas": list(names) or None}).fetchall()
    notes = {row[0]: row[1] for row in rows}
    missing = sorted(set(names) - notes.keys())
    if missing:
        raise TableError(
            f"There is no schema {', '.join(missing)}.",
            table=missing[0],
            advice="Check the spelling (names are case-sensitive here), or migrate first.",
        )
    tables = [_table(row) for row in rows if row[2] is not None]
    found = (
        Schema(name, note, tuple(each for each in tables if each.schema == name))
        for name, note in notes.items()
    )
    return tuple(each for each in found if each.tables or each.name in names)


def _table(row: Sequence[Any]) -> Table:
    schema, _, name, kind, comment, columns, primary, unique, checks, references = row
    return Table(
        schema,
        name,
        kind,
        comment,
        columns=tuple(Column(**each) for each in columns or ()),
        primary_key=tuple(primary[0]) if primary else (),
        unique=tuple(tuple(each) for each in unique or ()),
        checks=tuple(checks or ()),
        references=tuple(
            Reference(tuple(each["columns"]), each["schema"], each["table"], tuple(each["target_columns"]))
            for each in references or ()
        ),
    )
