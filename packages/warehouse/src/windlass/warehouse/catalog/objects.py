"""All objects of a database with what defines them, read by one query so that reading costs milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

import psycopg

__all__ = ["CatalogObject", "Kind", "read_objects"]

Connection = psycopg.Connection[tuple[Any, ...]]


_SET_PATH = """
select path from (select current_setting('search_path') as path offset 0) as before,
    set_config('search_path', 'pg_catalog', true)
"""


class Kind(StrEnum):
    """What an object is, in the order in which differences are told."""

    SCHEMA = "schema"
    EXTENSION = "extension"
    TYPE = "type"
    SEQUENCE = "sequence"
    FUNCTION = "function"
    TABLE = "table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    COLUMN = "column"
    CONSTRAINT = "constraint"
    INDEX = "index"
    STATISTICS = "statistics"
    TRIGGER = "trigger"
    RULE = "rule"
    POLICY = "policy"


@dataclass(frozen=True)
class CatalogObject:
    """One object.

    Attributes:
        kind: What it is.
        schema: The schema it is in.
        name: Its name as SQL, quoted where needed, with that of its table where it belongs to one.
        parent: Name of the table or domain it belongs to; empty for others.
        properties: What defines it, in PostgreSQL's words.
    """

    kind: Kind
    schema: str
    name: str
    parent: str
    properties: Mapping[str, str]

    @property
    def key(self) -> tuple[Kind, str]:
        """What no other object of the database shares."""
        return self.kind, self.name


@cache
def _query() -> bytes:
    return resources.files(__package__).joinpath("objects.sql").read_bytes()


def read_objects(connection: Connection) -> tuple[CatalogObject, ...]:
    """Read the objects that are the user's, not the system's or an extension's.

    Two databases of one major version whose objects are the same give the same answer.

    Args:
        connection: Any connection; its transaction, if there is one, goes on.

    Returns:
        The objects by kind and name.
    """
    with connection.transaction():
        # PostgreSQL then writes every name with its schema, whatever the role's path is. Put back, because
        # within somebody's transaction this one is a savepoint, and the setting would outlast it.
        path = connection.execute(_SET_PATH).fetchall()[0][0]
        rows = connection.execute(_query()).fetchall()
        connection.execute("select set_config('search_path', %s, true)", (path,))
    found = [
        CatalogObject(
            Kind(kind), schema, name, parent or "", {key: _text(each) for key, each in sorted(said.items())}
        )
        for kind, schema, name, parent, said in rows
    ]
    order = list(Kind)
    return tuple(sorted(found, key=lambda each: (order.index(each.kind), each.name)))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
