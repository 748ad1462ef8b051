from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import LoadError, StatementError, TableError
from windlass.warehouse.load.extract import extract_load
from windlass.warehouse.testing.server import WarehouseDatabase, WarehouseServer

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute(
            'create table target (id int, "Name" text, price numeric(8,2), doc jsonb, at timestamptz)'
        )
        yield opened


@pytest.fixture
def source(warehouse_server: WarehouseServer) -> Iterator[Connection]:
    with warehouse_server.database() as database, database.connect(autocommit=True) as opened:
        opened.execute(
            "create table origin as select n as id, 'n' || n as \"Name\", n / 3.0 as price, "
            "jsonb_build_object('n', n) as doc, '2024-01-01Z'::timestamptz + n * interval '1 day' as at "
            "from generate_series(1, 1000) as n"
        )
        yield opened


def count(connection: Connection) -> tuple[Any, ...] | None:
    return connection.execute("select count(*), min(id), max(id), sum(price)::text from target").fetchone()


@pytest.mark.parametrize("cast", ["::numeric(8,2)", "", "::text"])
def test_rows_stream_from_another_database_whatever_the_types(
    connection: Connection, source: Connection, cast: str
) -> None:
    result = extract_load(
        connection,
        table="target",
        sql=f'select at, doc, price{cast}, "Name", id from origin where id <= %(most)s -- all of them',
        source=source,
        parameters={"most": 900},
    )
    assert (result.table, result.rows) == ("public.target", 900)
    assert count(connection) == (900, 1, 900, "135150.00")
    assert connection.execute('select "Name", doc, at from target where id = 7').fetchone() == (
        source.execute('select "Name", doc, at from origin where id = 7').fetchone()
    )


def test_what_the_sources_session_looks_like_changes_no_value(
    connection: Connection, source: Connection
) -> None:
    connection.execute("create table day (at timestamp, since interval, n numeric)")
    settings = "set datestyle = 'SQL, DMY'; set intervalstyle = 'sql_standard'; set extra_float_digits = -5"
    source.execute(settings)
    query = "select date '2024-02-01' as at, interval '-1 day 2:00' as since, 0.1234567890123::float8 as n"
    extract_load(connection, table="day", sql=query, source=source)
    assert connection.execute("select at::text, since::text, n::text from day").fetchone() == (
        "2024-02-01 00:00:00",
        "-1 days +02:00:00",
        "0.1234567890123",
    )
    assert source.info.parameter_status("DateStyle") == "SQL, DMY"


def test_within_one_database_values_are_read_as_the_target_reads_text(connection: Connection) -> None:
    sql = "select '7'::text as id, 1.005 as price from generate_series(1, 3)"
    assert extract_load(connection, table="target", sql=sql).rows == 3
    assert connection.execute("select distinct id, price::text from target").fetchall() == [(7, "1.01")]


def test_replace_is_one_transaction_and_append_keeps(connection: Connection, source: Connection) -> None:
    for mode, expected in (("replace", 2), ("append", 4), ("replace", 2)):
        extract_load(
            connection, table="target", sql="select id from origin limit 2", source=source, mode=mode
        )  # type: ignore[arg-type]
        assert (count(connection) or ())[0] == expected
    with pytest.raises(LoadError):
        extract_load(connection, table="target", sql="select 1 / (id - 900) as id from origin", source=source)
    assert (count(connection) or ())[0] == 2


@pytest.mark.parametrize("origin", ["target", "seen", "read_target()"])
def test_a_replaced_table_may_be_read_by_its_own_query(connection: Connection, origin: str) -> None:
    connection.execute(
        "insert into target (id) values (1), (2), (3); create view seen as select * from target;"
        "create function read_target() returns setof target language plpgsql as "
        "'begin return query select * from target; end'"
    )
    for _ in range(2):
        assert extract_load(connection, table="target", sql=f"select id from {origin}").rows == 3
    assert connection.execute("select id from target order by id").fetchall() == [(1,), (2,), (3,)]


def test_a_replacing_load_goes_on_in_the_callers_transaction(connection: Connection) -> None:
    with connection.transaction():
        for n in (1, 2):
            extract_load(connection, table="target", sql=f"select {n} as id")
    assert connection.execute("select id from target").fetchall() == [(2,)]


def test_replacing_makes_a_file_loadable_again(connection: Connection, tmp_path: Path) -> None:
    from windlass.warehouse.load.file import load_file

    path = tmp_path / "a.csv"
    path.write_text("id,Name,price,doc,at\n5,,,,\n")
    load_file(connection, file=path, table="target")
    extract_load(connection, table="target", sql="select 1 as id")
    assert not load_file(connection, file=path, table="target").skipped


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize(
    ("sql", "error", "told"),
    [
        ("select 1 as nope", TableError, "'nope', unknown to public.target"),
        ('select 1 as id, 2 as "id"', TableError, "twice"),
        ("select 1 as id,\n  missing", StatementError, r"<sql>:2:3: column \"missing\""),
        ("select 1; select 2", StatementError, "One query"),
        ("select 'x'::text as id", LoadError, 'integer: "x"'),
    ],
)
def test_failures_say_where_and_leave_the_table(
    connection: Connection, source: Connection, elsewhere: bool, sql: str, error: type[LoadError], told: str
) -> None:
    connection.execute("insert into target (id) values (42)")
    with pytest.raises(error, match=told):
        extract_load(connection, table="target", sql=sql, source=source if elsewhere else None)
    assert (count(connection) or ())[:3] == (1, 42, 42)


def test_columns_the_table_fills_itself_are_refused(connection: Connection) -> None:
    connection.execute("alter table target add key int generated always as identity")
    with pytest.raises(TableError, match="fills itself"):
        extract_load(connection, table="target", sql="select 1 as key")


def test_any_database_with_a_cursor_can_be_read(connection: Connection) -> None:
    source = sqlite3.connect(":memory:")
    source.execute("create table origin (id integer, Name text, price real, doc text)")
    values = [(n, "a\tb\\" if n % 2 else None, n / 4, '{"n": 1}') for n in range(12_000)]
    source.executemany("insert into origin values (?, ?, ?, ?)", values)

    result = extract_load(
        connection,
        table="target",
        sql="select id, Name, price, doc from origin where id < :most",
        source=source,
        parameters={"most": 11_000},
    )

    assert result.rows == 11_000
    assert connection.execute('select "Name", price::text, doc from target where id = 3').fetchone() == (
        "a\tb\\",
        "0.75",
        {"n": 1},
    )
    with pytest.raises(LoadError, match="no such table"):
        extract_load(connection, table="target", sql="select * from nope", source=source)
    with pytest.raises(LoadError, match="no rows"):
        extract_load(connection, table="target", sql="create table x (y)", source=source)
    with pytest.raises(LoadError, match="NUL"):
        extract_load(connection, table="target", sql="select 'a' || char(0) as Name", source=source)
    assert (count(connection) or ())[0] == 11_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(connection: Connection, source: Connection) -> None:
    sql = "select n as id, repeat('x', 200) as \"Name\" from generate_series(1, %(n)s) as n"
    extract_load(connection, table="target", sql=sql, source=source, parameters={"n": 1000})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    extract_load(connection, table="target", sql=sql, source=source, parameters={"n": 300_000})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024
