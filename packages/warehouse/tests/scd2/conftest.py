"""A database for all tests of this folder, with a dimension made anew for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from windlass.warehouse.scd2 import Scd2Result, apply_scd2
from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

START = datetime(2024, 1, 1, tzinfo=UTC)
TABLES = """
set client_min_messages to warning; set timezone to 'America/New_York';
drop schema if exists play cascade; create schema play;
delete from ops.scd2_target; delete from ops.scd2_snapshot; delete from ops.scd2_mark;
create table play.dim (
    dim_key integer generated always as identity primary key, id integer not null,
    name varchar(8), grade integer constraint good_grade check (grade between 1 and 9),
    valid_from timestamptz not null, valid_to timestamptz not null default 'infinity',
    is_current boolean not null, unique (id, valid_from), check (valid_from < valid_to),
    check (is_current = (valid_to = 'infinity'))
);
create unique index on play.dim (id) where is_current;
create table play.source (id integer, name text, grade integer, at timestamptz, gone boolean);
"""


def days(instant: datetime) -> float:
    """Days since the start, to the second."""
    return (instant - START) / timedelta(days=1)


@dataclass
class Dim:
    """The dimension `play.dim` and the source it is filled from."""

    connection: psycopg.Connection[Any]

    @staticmethod
    def day(number: int) -> datetime:
        return START + timedelta(days=number)

    def fill(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self.connection.execute("truncate play.source")
        with self.connection.cursor() as cursor:
            for row in rows:
                cursor.execute(
                    "insert into play.source values (%s, %s, %s, %s, %s)", [*row, *[None] * (5 - len(row))]
                )

    def snapshot(self, day: int, rows: Sequence[tuple[Any, ...]], **options: Any) -> Scd2Result:
        """Apply rows (id, name, grade) as the state as of a day."""
        self.fill(rows)
        given = {
            "table": "play.dim",
            "key": ["id"],
            "sql": "select id, name, grade from play.source",
            "as_of": self.day(day),
        }
        return apply_scd2(self.connection, **(given | options))

    def changes(self, rows: Sequence[tuple[Any, ...]], **options: Any) -> Scd2Result:
        """Apply rows (day, id, name) as changes; a row without a name is a deletion."""
        self.fill(
            [
                (row[1], row[2] if len(row) > 2 else None, None, self.day(row[0]), len(row) == 2)
                for row in rows
            ]
        )
        given = {
            "table": "play.dim",
            "key": ["id"],
            "sql": "select id, name, grade, at, gone from play.source",
            "mode": "changes",
            "effective_at": "at",
            "deleted": "gone",
        }
        return apply_scd2(self.connection, **(given | options))

    def history(self, columns: str = "id, name", table: str = "play.dim") -> list[tuple[Any, ...]]:
        """The versions: columns, day of the beginning, day of the end (None when open)."""
        rows = self.connection.execute(
            f"select {columns}, valid_from, nullif(valid_to, 'infinity') from {table} order by 1, valid_from"
        ).fetchall()
        return [(*row[:-2], days(row[-2]), None if row[-1] is None else days(row[-1])) for row in rows]

    def keys(self) -> dict[tuple[int, int], int]:
        """Surrogate keys by key and day of the beginning."""
        rows = self.connection.execute("select dim_key, id, valid_from from play.dim")
        return {(row[1], days(row[2])): row[0] for row in rows}


@pytest.fixture(scope="session")
def database(warehouse_server: WarehouseServer, warehouse_template: str) -> Iterator[WarehouseDatabase]:
    with warehouse_server.database(template=warehouse_template) as database:
        yield database


@pytest.fixture
def connection(database: WarehouseDatabase) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


@pytest.fixture
def dim(connection: psycopg.Connection[Any]) -> Dim:
    return Dim(connection)
