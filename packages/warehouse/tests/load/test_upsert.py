from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from windlass.warehouse.errors import LoadError, TableError
from windlass.warehouse.load.by_key import UpsertCounts, upsert_from
from windlass.warehouse.load.table import describe_table
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]
STAGE = sql.Identifier("pg_temp", "stage")


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute(
            "create table target (store text, id int, name text, doc json, n numeric default 7, "
            "made int generated always as (id * 2) stored, primary key (store, id), unique (name));"
            "create temp table stage (store text, id int, name text, doc json)"
        )
        yield opened


def merge(connection: Connection, *rows: tuple[Any, ...], **options: Any) -> UpsertCounts:
    connection.execute("truncate stage")
    connection.cursor().executemany("insert into stage values (%s, %s, %s, %s)", rows)
    with connection.transaction():
        return upsert_from(
            connection,
            target=describe_table(connection, "target"),
            stage=STAGE,
            **{"columns": ("store", "id", "name", "doc"), "key": ("id", "store"), **options},
        )


def rows(connection: Connection) -> list[Any]:
    return connection.execute("select store, id, name, n::int, made from target order by 1, 2").fetchall()


def test_rows_are_inserted_updated_or_left_alone(connection: Connection) -> None:
    assert merge(connection, ("a", 1, "x", "{}"), ("a", 2, None, None)) == UpsertCounts(2, 0, 0)
    before = connection.execute("select ctid from target where id = 1").fetchone()
    connection.execute("update target set n = 8")
    before = connection.execute("select ctid from target where id = 1").fetchone()

    counts = merge(connection, ("a", 1, "x", "{}"), ("a", 2, None, "{}"), ("b", 1, "z", None))

    assert counts == UpsertCounts(inserted=1, updated=1, unchanged=1)
    assert connection.execute("select ctid from target where id = 1 and store = 'a'").fetchone() == before
    assert rows(connection) == [("a", 1, "x", 8, 2), ("a", 2, None, 8, 4), ("b", 1, "z", 7, 2)]


def test_a_table_of_keys_alone_takes_new_keys(connection: Connection) -> None:
    merge(connection, ("a", 1, None, None), columns=("store", "id"))
    counts = merge(connection, ("a", 1, "x", None), ("a", 2, None, None), columns=("store", "id"))
    assert counts == UpsertCounts(1, 0, 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"key": ("id",)}, "covers exactly id"),
        ({"key": ()}, "No key is given"),
        ({"columns": ("id", "name")}, "'store', which the rows do not bring"),
        ({"columns": ("id", "store", "made")}, "fills itself"),
        ({"columns": ("id", "store", "more")}, "unknown"),
    ],
)
def test_a_key_that_is_none_is_refused(connection: Connection, options: dict[str, Any], told: str) -> None:
    with pytest.raises(TableError, match=told) as caught:
        merge(connection, ("a", 1, "x", None), **options)
    assert caught.value.advice


def test_partial_and_expression_indexes_are_no_key(connection: Connection) -> None:
    connection.execute(
        "create unique index on target (id) where n > 7; create unique index on target (abs(id))"
    )
    with pytest.raises(TableError, match="covers exactly id"):
        merge(connection, ("a", 1, "x", None), key=("id",))


def test_duplicate_and_null_keys_are_named(connection: Connection) -> None:
    with pytest.raises(LoadError, match=r"2 of the keys .*\(1, a\) 2 times, \(2, b\) 3 times"):
        merge(connection, *[("a", 1, "x", None)] * 2, *[("b", 2, None, None)] * 3)
    with pytest.raises(LoadError, match=r"1 of the rows for .* have null"):
        merge(connection, ("a", None, "x", None))
    assert rows(connection) == []


def test_rows_that_a_trigger_drops_are_told(connection: Connection) -> None:
    connection.execute(
        "create function keep_odd() returns trigger language plpgsql as "
        "'begin return case when new.id % 2 = 1 then new end; end';"
        "create trigger keep_odd before insert on target for each row execute function keep_odd()"
    )
    assert merge(connection, ("a", 1, None, None)) == UpsertCounts(1, 0, 0)
    with pytest.raises(LoadError, match=r"1 rows did not get into public.target.*trigger keep_odd"):
        merge(connection, ("a", 2, None, None), ("a", 3, None, None))
    assert len(rows(connection)) == 1


def test_another_unique_constraint_still_holds(connection: Connection) -> None:
    merge(connection, ("a", 1, "x", None))
    with pytest.raises(psycopg.errors.UniqueViolation):
        merge(connection, ("a", 2, "x", None))
