"""What is written comes back exactly; loads in any order and number give one clean application."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass.warehouse.load.file import FileOptions, load_file
from windlass.warehouse.testing.server import WarehouseServer

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]

bounded = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def connection(warehouse_server: WarehouseServer, warehouse_template: str) -> Iterator[Connection]:
    with (
        warehouse_server.database(template=warehouse_template) as database,
        database.connect(autocommit=True) as opened,
    ):
        opened.execute("set timezone = 'UTC'")
        yield opened


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", "NULL", '"', "''", "\\.", "\\N", "\r\n", "\n", "\r", ",;\t|", " x ", "\ufeff"]
)
TYPES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric(20,4)": st.decimals(-(10**15), 10**15, places=4, allow_nan=False),
    "float8": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "date": st.dates(dt.date(1, 1, 1)),
    "timestamptz": st.datetimes(timezones=st.just(dt.UTC)).filter(lambda at: 1 < at.year < 9999),
    "bytea": st.binary(max_size=6),
}


@dataclass(frozen=True)
class Sample:
    kinds: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    @property
    def names(self) -> list[str]:
        return [f"c {number}" for number in range(len(self.kinds))]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    kinds = tuple(draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=5)))
    row = st.tuples(*(st.none() | TYPES[kind] for kind in kinds))
    return Sample(kinds, draw(st.lists(row, max_size=8)))


def as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def load(connection: Connection, sample: Sample, path: Path, **options: Any) -> list[tuple[Any, ...]]:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in zip(sample.names, sample.kinds, strict=True))
    connection.execute(f"drop table if exists sample; create table sample ({columns}, at bigserial)")
    load_file(connection, file=path, table="sample", options=FileOptions(**options))
    found = connection.execute("select * from sample order by at").fetchall()
    return [row[:-1] for row in found]


DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|~"),
        "quote": st.sampled_from("\"'`"),
        "null": st.sampled_from(["", "NULL", "\\N"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]),
        "max_rejects": st.integers(0, 2),
    }
)


@bounded
@given(samples(), DIALECTS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_table_comes_back_from_any_csv(connection, tmp_path, sample, dialect, end, packed) -> None:
    delimiter, quote, null = dialect["delimiter"], dialect["quote"], dialect["null"]
    special = {delimiter, quote, "\r", "\n", "\\", "\ufeff"}

    def field(value: Any) -> str:
        if value is None:
            return null
        text = as_text(value)
        plain = text and text != null and not special & set(text) and text.strip() == text
        return text if plain else quote + text.replace(quote, quote * 2) + quote

    lines = [sample.names, *([field(value) for value in row] for row in sample.rows)]
    content = "".join(delimiter.join(line) + end for line in lines).encode(dialect["encoding"])
    path = tmp_path / ("f.csv.gz" if packed else "f.csv")
    path.write_bytes(gzip.compress(content) if packed else content)

    texts = [text for row in sample.rows for text in row if isinstance(text, str)]
    if any("\\." in text.replace("\r", "\n").split("\n") for text in texts):
        return  # refused: PostgreSQL before 18 takes such a line for the end
    assert load(connection, sample, path, **dialect) == sample.rows


@bounded
@given(samples(), st.sampled_from(["utf-8", "utf-16"]), st.booleans(), st.integers(0, 2))
def test_any_table_comes_back_from_json_lines(
    connection, tmp_path, sample, encoding, ascii_only, rejects
) -> None:
    def value(item: Any) -> Any:
        return item if item is None or isinstance(item, str | bool | int) else as_text(item)

    lines = [
        json.dumps(dict(zip(sample.names, map(value, row), strict=True)), ensure_ascii=ascii_only)
        for row in sample.rows
    ]
    path = tmp_path / "f.jsonl"
    path.write_bytes("\n".join(lines).encode(encoding))
    if not lines:
        return
    assert load(connection, sample, path, encoding=encoding, max_rejects=rejects) == sample.rows


@bounded
@given(samples(), st.integers(0, 2))
def test_any_table_comes_back_from_parquet(connection, tmp_path, sample, rejects) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "text": pa.string(),
        "bigint": pa.int64(),
        "numeric(20,4)": pa.decimal128(20, 4),
        "float8": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamptz": pa.timestamp("us", "UTC"),
        "bytea": pa.binary(),
    }
    arrays = [
        pa.array([row[number] for row in sample.rows], kinds[kind])
        for number, kind in enumerate(sample.kinds)
    ]
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table(arrays, names=sample.names), path, row_group_size=3)
    assert load(connection, sample, path, max_rejects=rejects) == sample.rows


CONTENTS = [f"id,n\n{number},1\n{number + 10},{'x' if number % 2 else 2}\n" for number in range(3)]


@bounded
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=8))
def test_any_order_and_number_of_loads_is_one_clean_application(connection, tmp_path, loads) -> None:
    """Model: the set of contents since the last crash-free application; crashes leave nothing."""
    connection.execute("drop table if exists loaded; create table loaded (id int, n int)")
    connection.execute("delete from ops.rejected_file_row; delete from ops.loaded_file")
    done: set[int] = set()
    for number, crashes in loads:
        path = tmp_path / f"{number}.csv"
        path.write_text(CONTENTS[number])
        with connection.transaction(force_rollback=crashes):
            result = load_file(connection, file=path, table="loaded", options=FileOptions(max_rejects=1))
        assert result.skipped == (number in done)
        assert (result.rows, result.rejected) == ((1, 1) if number % 2 else (2, 0))
        if not crashes:
            done.add(number)
    expected = itertools.chain.from_iterable(
        [(number, 1)] if number % 2 else [(number, 1), (number + 10, 2)] for number in sorted(done)
    )
    assert sorted(connection.execute("select * from loaded").fetchall()) == sorted(expected)
    (rejected,) = connection.execute("select count(*) from ops.rejected_file_row").fetchone()
    assert rejected == len([number for number in done if number % 2])
