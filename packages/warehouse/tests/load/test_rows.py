from __future__ import annotations

import datetime as dt
import decimal
import resource
import sqlite3
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import LoadError, TableError
from windlass.warehouse.load import UpsertResult, copy_rows, extract_load, load_file, upsert
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute(
            "create table target (id int primary key, name text not null default 'none', doc jsonb, "
            "n numeric(6,2))"
        )
        yield opened


def rows(connection: Connection) -> list[Any]:
    return connection.execute("select id, name, doc, n::text from target order by id").fetchall()


# copy_rows.


def test_sequences_and_mappings_are_copied(connection: Connection) -> None:
    result = copy_rows(connection, table="target", columns=["name", "id"], rows=[("a\t\\N", 1), ["b", 2]])
    assert (result.table, result.rows) == ("public.target", 2)
    copy_rows(connection, table="target", rows=({"id": n, "doc": [n]} for n in (3, 4)))
    assert rows(connection) == [
        (1, "a\t\\N", None, None),
        (2, "b", None, None),
        (3, "none", [3], None),
        (4, "none", [4], None),
    ]
    copy_rows(connection, table="target", columns=["id"], rows=[(9,)], mode="replace")
    assert [row[0] for row in rows(connection)] == [9]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"id": 1, "n": "x"}, 'Row 2 .*numeric: "x" .*column n'),
        ({"id": 1, "n": 99999}, "Row 2 .*numeric field overflow.*column n"),
        ({"id": 1}, "Row 2 .*lacks 'n'"),
        ({"id": 1, "n": 1, "m": 1}, "Row 2 .*has 'm' beside"),
        ({"id": 7, "n": 1}, r"Row 2 .*Key \(id\)=\(7\) already exists"),
        ({"id": None, "n": 1}, "Row 2 .*null value"),
        ({"id": 1, "n": object()}, "Row 2 .*cannot adapt"),
        ({"id": 1, "n": "a\0"}, "Row 2 .*NUL"),
        ((1, 2, 3), "Row 2 "),
    ],
)
def test_the_first_bad_row_is_named_by_its_index(connection: Connection, bad: Any, told: str) -> None:
    given = [{"id": 7, "n": 1}, {"id": 8, "n": 1}, bad]
    if "exists" not in told:  # found when rows are written, some hundreds at a time
        given.append({"id": "y", "n": "y"})
    with pytest.raises(LoadError, match=told) as caught:
        copy_rows(connection, table="target", rows=given)
    assert "Nothing was loaded" in str(caught.value)
    assert caught.value.advice
    assert rows(connection) == []


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("12", "it is a str"),
        ({3, "x"}, "it is a set"),
        (None, "not iterable"),
        ((1,), "1 values for 2 columns"),
        ((1, {(2, 3): 4}), "keys must be"),
    ],
)
def test_what_is_no_row_is_named_by_its_index(connection: Connection, bad: Any, told: str) -> None:
    with pytest.raises(LoadError, match=f"Row 1 .*{told}"):
        copy_rows(connection, table="target", columns=["id", "doc"], rows=[(1, None), bad])
    assert rows(connection) == []


def test_all_columns_that_do_not_fit_are_told_at_once(connection: Connection) -> None:
    with pytest.raises(TableError) as caught:
        copy_rows(connection, table="target", columns=["x", "y", "doc", "doc"], rows=[])
    told = str(caught.value)
    assert "'x', 'y', unknown to public.target" in told
    assert "'doc' twice" in told
    assert "public.target needs column 'id', which the input does not bring" in told


@pytest.mark.parametrize("given", [[], [(1,)]])
def test_columns_must_be_known(connection: Connection, given: list[Any]) -> None:
    with pytest.raises(LoadError, match="column"):
        copy_rows(connection, table="target", rows=given)


def test_what_the_rows_raise_passes_through_and_rolls_back(connection: Connection) -> None:
    def failing() -> Iterator[tuple[int]]:
        yield (1,)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        copy_rows(connection, table="target", columns=["id"], rows=failing())
    assert rows(connection) == []


def test_memory_stays_the_same(connection: Connection) -> None:
    def copy(count: int) -> None:
        generated = ((n, "x" * 500) for n in range(count))
        copy_rows(connection, table="target", columns=["id", "name"], rows=generated, mode="replace")

    copy(1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    copy(60_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


UNUSUAL: dict[str, tuple[str, Any, Any]] = {
    "decimal": ("numeric", decimal.Decimal("1.10"), decimal.Decimal("1.10")),
    "not a number": ("numeric", decimal.Decimal("NaN"), decimal.Decimal("NaN")),
    "nan": ("float8", float("nan"), "nan"),
    "infinity": ("float8", float("-inf"), float("-inf")),
    "zoned": (
        "timestamptz",
        dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
        dt.datetime(2024, 1, 1, 6, 30, tzinfo=dt.UTC),
    ),
    "bytes": ("bytea", b"\0\xff\\", b"\0\xff\\"),
    "memoryview": ("bytea", memoryview(b"\0'"), b"\0'"),
    "bytearray": ("bytea", bytearray(b"\0'"), b"\0'"),
    "uuid": ("uuid", uuid.UUID(int=5), uuid.UUID(int=5)),
    "uuid as text": ("text", uuid.UUID(int=5), str(uuid.UUID(int=5))),
    "array": ("int[]", [1, None, 3], [1, None, 3]),
    "tuple": ("text[]", ("a,", '"'), ["a,", '"']),
    "json": (
        "jsonb",
        {"a": [decimal.Decimal("1.5"), dt.date(2024, 1, 2), uuid.UUID(int=1)]},
        {"a": ["1.5", "2024-01-02", str(uuid.UUID(int=1))]},
    ),
    "json list": ("json", [1, {"b": None}], [1, {"b": None}]),
    "json scalar": ("jsonb", 5, 5),
    "dict as text": ("text", {"a": 1}, '{"a": 1}'),
    "list as text": ("text", [1, 2], "[1, 2]"),
    "interval": ("interval", dt.timedelta(days=1, microseconds=5), dt.timedelta(days=1, microseconds=5)),
    "time": ("time", dt.time(1, 2, 3), dt.time(1, 2, 3)),
    "bool as text": ("text", True, "t"),
    "big": ("numeric", 2**70, decimal.Decimal(2**70)),
}


class _Source:
    """A PEP 249 connection that gives what a driver of any database may give."""

    def __init__(self, names: list[str], batches: list[Any]) -> None:
        self.description = [(name, *[None] * 6) for name in names]
        self.batches = batches

    def cursor(self) -> _Source:
        return self

    def execute(self, text: str) -> None:
        pass

    def fetchmany(self, size: int) -> Any:
        batch = self.batches.pop(0) if self.batches else []
        if isinstance(batch, Exception):
            raise batch
        return batch

    def close(self) -> None:
        pass


@pytest.mark.parametrize("by", ["copy", "extract"])
def test_values_of_unusual_types_arrive(connection: Connection, by: str) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, *_) in UNUSUAL.items())
    connection.execute(f"create table unusual ({columns})")
    given = [value for _, value, _ in UNUSUAL.values()]
    if by == "copy":
        copy_rows(connection, table="unusual", columns=list(UNUSUAL), rows=[given])
    else:
        source = _Source(list(UNUSUAL), [[dict(zip(UNUSUAL, given, strict=True))]])
        extract_load(connection, table="unusual", sql="select", source=source)
    found = connection.execute("select * from unusual").fetchone()
    assert found is not None
    for value, (name, (_, _, expected)) in zip(found, UNUSUAL.items(), strict=True):
        is_nan = str(expected).lower() == "nan"
        assert str(value).lower() == "nan" if is_nan else value == expected, name


def test_errors_of_the_source_and_of_the_target_are_told_apart(connection: Connection) -> None:
    broken = _Source(["id"], [[(1,), (2,)], OSError("line dropped")])
    with pytest.raises(LoadError, match="source failed after 2 rows: line dropped"):
        extract_load(connection, table="target", sql="select", source=broken)
    with pytest.raises(LoadError, match=r"Row 1 \(from 0\) does not fit public.target"):
        extract_load(connection, table="target", sql="select", source=_Source(["id"], [[(1,), ("x",)]]))
    with pytest.raises(TableError, match=r"'a', 'b', unknown .* needs column 'id'"):
        extract_load(connection, table="target", sql="select", source=_Source(["a", "b"], []))
    assert rows(connection) == []


def test_a_postgres_source_that_fails_midway_is_told_at_its_place(
    connection: Connection, warehouse: WarehouseDatabase
) -> None:
    with warehouse.connect(autocommit=True) as source:
        with pytest.raises(LoadError, match=r"<sql>:1:1: division by zero"):
            extract_load(
                connection,
                table="target",
                sql="select 1 / (90000 - n) + n as id from generate_series(1, 100000) as n",
                source=source,
            )
        with pytest.raises(LoadError, match=r"do not go into target.*duplicate key"):
            extract_load(
                connection,
                table="target",
                sql="select n % 90000 as id from generate_series(1, 100000) as n",
                source=source,
            )
        assert extract_load(connection, table="target", sql="select 1 as id", source=source).rows == 1


def test_sqlite_streams_in_constant_memory(connection: Connection) -> None:
    source = sqlite3.connect(":memory:")
    query = (
        "with recursive n(id) as (select 1 union all select id + 1 from n where id < {}) "
        "select id, printf('%0500d', id) as name from n"
    )
    extract_load(connection, table="target", sql=query.format(1000), source=source)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert extract_load(connection, table="target", sql=query.format(60_000), source=source).rows == 60_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12 * 1024


# upsert.


def test_rows_and_queries_are_upserted(connection: Connection) -> None:
    given = [{"id": 1, "name": "a", "doc": {"x": 1}}, {"id": 2, "name": "b", "doc": None}]
    assert upsert(connection, table="target", key=["id"], rows=given) == UpsertResult(
        "public.target", 2, 0, 0
    )
    given[1]["name"] = "c"
    assert upsert(
        connection, table="target", key=["id"], rows=[*given, {"id": 3, "name": "d", "doc": [1]}]
    ) == (UpsertResult("public.target", inserted=1, updated=1, unchanged=1))
    again = upsert(
        connection,
        table="target",
        key=["id"],
        sql="select n::text as id, %(name)s as name from generate_series(3, 4) as n",
        parameters={"name": "d"},
    )
    assert again == UpsertResult("public.target", inserted=1, updated=0, unchanged=1)
    assert [row[:3] for row in rows(connection)] == [
        (1, "a", {"x": 1}),
        (2, "c", None),
        (3, "d", [1]),
        (4, "d", None),
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rows": [(1, "a"), (1, "b")]}, r"1 of the keys .*\(1\) 2 times"),
        ({"rows": [(None, "a")]}, "have null in the key"),
        ({"rows": [(1, "a"), ("x", "b")]}, r"Row 1 \(from 0\)"),
        ({"rows": [(1, None)]}, "null value in column"),
        ({"sql": "select 1 as id, nope"}, "<sql>:1:17"),
        ({"sql": "select 1 as id, 2 as z"}, "'z', unknown"),
        ({"rows": [], "sql": "select 1"}, "Exactly one"),
        ({}, "Exactly one"),
    ],
)
def test_what_cannot_be_upserted_changes_nothing(connection: Connection, options: Any, told: str) -> None:
    columns = ["id", "name"] if "rows" in options else None
    with pytest.raises(LoadError, match=told) as caught:
        upsert(connection, table="target", key=["id"], columns=columns, **options)
    assert caught.value.advice
    assert rows(connection) == []
    assert upsert(connection, table="target", key=["id"], columns=["id"], rows=[(1,)]).inserted == 1


def test_upserts_at_once_give_the_rows_of_one_after_the_other(
    connection: Connection, warehouse: WarehouseDatabase
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(worker: int) -> UpsertResult:
        with warehouse.connect(autocommit=True) as own:
            given = [(n, f"w{worker}") for n in range(200)]
            return upsert(own, table="target", key=["id"], columns=["id", "name"], rows=given)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(work, range(4)))
    assert sorted(item.inserted for item in done) == [0, 0, 0, 200]
    assert len({row[1] for row in rows(connection)}) == 1


# Names.

NAMES = [
    "plain",
    "Mixed Case",
    "select",
    'quo"te',
    "per%cent %s %(x)s",
    "semi;--drop table",
    "döner 表",
    "a.b",
    "'; drop table x; --",
    "back\\slash",
    "{brace}",
    "new\nline",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_and_any_value_goes_through(connection: Connection, tmp_path: Any, name: str) -> None:
    from psycopg import sql

    quoted = '"' + name.replace('"', '""') + '"'
    table, identifier = f"{quoted}.{quoted}", sql.Identifier(name)
    connection.execute(
        sql.SQL("create schema {0}; create table {0}.{0} ({0} text primary key, {1} text)").format(
            identifier, sql.Identifier(name + "2")
        )
    )
    path = tmp_path / "f.csv"
    path.write_text("a,b\n" + ",".join('"' + text.replace('"', '""') + '"' for text in (name, name)) + "\n")

    def stored() -> list[Any]:
        return connection.execute(sql.SQL("select * from {0}.{0}").format(identifier)).fetchall()

    from windlass.warehouse.load import FileOptions

    mapped = FileOptions(columns={"a": name, "b": name + "2"}, max_rejects=1)
    load_file(connection, file=path, table=table, options=mapped)
    assert stored() == [(name, name)]
    copy_rows(connection, table=table, rows=[{name: name, name + "2": name}], mode="replace")
    assert stored() == [(name, name)]
    assert upsert(connection, table=table, key=[name], rows=[{name: name, name + "2": "z"}]).updated == 1
    literal = sql.Identifier(name).as_string(connection)
    quoted_text = sql.Literal(name).as_string(connection).replace("%(x)s", "%(' || 'x)s")
    if "%(x)s" not in name:
        extract_load(connection, table=table, sql=f"select {quoted_text} as {literal}")
    assert stored()[0][0] == name
