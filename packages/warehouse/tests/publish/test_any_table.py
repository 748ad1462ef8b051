"""Whatever constraints a table has, publishing keeps what row-by-row inserts would keep."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from windlass.warehouse.publish import PublishResult, publish
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COLUMNS = {"id": "integer", "a": "smallint", "b": "numeric(4,1)", "Select": "text", "d": "date"}
VALUES = {
    "id": ["1", "2", "3", "4", "5", "x", None],
    "a": ["0", "1", "2", "3", "1.5", "40000", "", None],
    "b": ["0", "1", "2.04", "999.9", "1000", "NaN", "n/a", None],
    "Select": ["p", "q", "'", "", None],
    "d": ["2024-02-29", "2023-02-29", "2024-03-01", None],
}
CONSTRAINTS = [
    'alter column "Select" set not null',
    "alter column a set not null",
    "add check (a > 0)",
    "add check (a is not null)",
    "add check (a < b)",
    "add check (10 / a > 3)",
    """add check ("Select" in ('p', 'q'))""",
    """add check ("Select" ~ '^[pq]$')""",
    "add check (coalesce(b, 0) < 500)",
    "add unique (a)",
    'add unique (a, "Select")',
    'add unique nulls not distinct (b, "Select")',
    "add unique (d) deferrable initially deferred",
    "add exclude using btree (d with =)",
    "add exclude using btree (a with =) deferrable initially deferred",
    "add foreign key (a) references parent (k)",
    'add foreign key (a, "Select") references pair (k, word) match full',
    "add column note text default 'n' check (note <> 'z')",
    "add column serial_number integer generated always as identity unique",
    "add column twice smallint generated always as (a * 15000) stored",
    "add column half numeric generated always as (b / 2) stored check (half < 400)",
    "add column kept integer default 7, add unique (kept, a)",
]
INDEXES = [
    "create unique index on target (a) where b > 1",
    'create unique index on target (lower("Select"), d)',
    "create unique index on target ((10 / a))",
]

rows = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()}), max_size=12
)
tables = st.tuples(
    st.lists(st.sampled_from(CONSTRAINTS), unique=True, max_size=5),
    st.lists(st.sampled_from(INDEXES), unique=True, max_size=1),
)


def make_tables(connection: psycopg.Connection[Any], constraints: list[str], indexes: list[str]) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection.execute(
        "drop schema if exists play cascade; create schema play; set search_path to play;"
        "create table parent (k smallint primary key); insert into parent values (1), (2);"
        "create table pair (k smallint, word text, primary key (k, word)); insert into pair values (1, "
        "'p'), (2, 'q');"
        f"create table target ({columns}, primary key (id));"
        'create table landed (n integer, id text, a text, b text, "Select" text, d text);'
        + "".join(f"alter table target {constraint};" for constraint in constraints)
        + "".join(f"{index};" for index in indexes)
    )


def land(connection: psycopg.Connection[Any], landed: list[dict[str, str | None]]) -> None:
    connection.execute("truncate play.landed")
    for number, row in enumerate(landed):
        connection.execute(
            "insert into play.landed values (%(n)s, %(id)s, %(a)s, %(b)s, %(Select)s, %(d)s)",
            {**row, "n": number},
        )


def publish_landed(connection: psycopg.Connection[Any]) -> PublishResult:
    return publish(
        connection,
        table="play.target",
        source_table="play.landed",
        key=["id"],
        sql='select id, a, b, "Select", d from play.landed order by n',
    )


def contents(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute('select id, a, b::text, "Select", d from play.target order by id').fetchall()


def kept_one_by_one(connection: psycopg.Connection[Any], landed: list[dict[str, str | None]]) -> list[Any]:
    """What the table holds after inserting row by row, each in a savepoint, refused ones left out."""
    with connection.transaction(force_rollback=True):
        connection.execute("set constraints all immediate")
        for row in landed:
            if row["id"] is None:
                continue
            values = sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Literal(row[name]), sql.SQL(kind))
                for name, kind in COLUMNS.items()
            )
            statement = sql.SQL("insert into play.target (id, a, b, {}, d) values ({})").format(
                sql.Identifier("Select"), values
            )
            try:
                with connection.transaction():
                    connection.execute(statement)
            except (psycopg.IntegrityError, psycopg.DataError):
                continue
        return contents(connection)


def assert_complete(result: PublishResult, landed: list[dict[str, str | None]]) -> None:
    assert result.landed == len(landed)
    assert result.landed == result.inserted + result.updated + result.unchanged + result.rejected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables, rows, rows)
def test_publish_keeps_what_the_table_accepts_and_rejects_the_rest(
    warehouse: WarehouseDatabase,
    table: tuple[list[str], list[str]],
    landed: list[dict[str, str | None]],
    later: list[dict[str, str | None]],
) -> None:
    with warehouse.connect(autocommit=True) as connection:
        make_tables(connection, *table)
        expected = kept_one_by_one(connection, landed)
        land(connection, landed)

        first = publish_landed(connection)

        assert contents(connection) == expected
        assert_complete(first, landed)
        assert first.rejected == len(landed) - len(expected)

        again = publish_landed(connection)

        assert (again.published, again.rejected) == (0, first.rejected)
        assert contents(connection) == expected

        land(connection, later)
        assert_complete(publish_landed(connection), later)
