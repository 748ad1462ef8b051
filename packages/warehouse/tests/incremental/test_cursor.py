"""Sources that are not PostgreSQL: the query compares, the overlap covers late commits."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from windlass.warehouse.errors import LoadError, TableError, WatermarkError

pytestmark = pytest.mark.integration

QUERY = "select id, note, at as updated_at from origin where at >= %(watermark)s and id < %(most)s"


@pytest.fixture
def files(play: Any) -> Any:
    source = sqlite3.connect(":memory:", check_same_thread=False)
    source.execute("create table origin (id integer, note text, at text)")
    source.executemany(
        "insert into origin values (?, ?, ?)",
        [(n, f"n{n}", f"2024-01-01 00:{n:02}:00+00:00") for n in range(30)],
    )
    yield source
    source.close()


def load(play: Any, source: Any, **options: Any) -> Any:
    given = {"sql": QUERY, "parameters": {"most": 100}, "start": "2024-01-01", "overlap": "5m", **options}
    return play.load(source=source, **given)


def test_a_database_with_a_cursor_is_read_from_the_watermark_on(play: Any, files: Any) -> None:
    first = load(play, files)
    files.execute("insert into origin values (40, 'late', '2024-01-01 00:26:00+00:00')")
    files.execute("insert into origin values (41, 'too late', '2024-01-01 00:20:00+00:00')")
    second = load(play, files)
    assert (first.read, first.inserted, first.watermark_after) == (30, 30, "2024-01-01T00:29:00+00:00")
    assert (second.read, second.inserted, second.held_back) == (7, 1, 0)
    assert load(play, files, parameters={"most": 1}).read == 0


def test_numbers_serve_as_well(play: Any, files: Any) -> None:
    sql = "select id, note, id as number from origin where id >= %(watermark)s"
    options = {"sql": sql, "parameters": None, "watermark": "number", "overlap": 0, "start": 10}
    assert load(play, files, **options).inserted == 20
    assert load(play, files, **options).read == 1


@pytest.mark.parametrize("style", ["named", "qmark", "numeric"])
def test_the_query_is_told_in_the_drivers_style(play: Any, files: Any, monkeypatch: Any, style: str) -> None:
    # SQLite understands all three, whatever it says that it prefers.
    monkeypatch.setattr(sqlite3, "paramstyle", style)
    assert load(play, files).inserted == 30


@pytest.mark.parametrize(
    ("error", "told", "options"),
    [
        (WatermarkError, "where updated_at >= %\\(watermark\\)s", {"sql": "select * from origin"}),
        (WatermarkError, "cannot be seen", {"overlap": None}),
        (WatermarkError, "none yet", {"start": None}),
        (
            WatermarkError,
            "no column 'updated_at'",
            {"sql": "select id from origin where at >= %(watermark)s"},
        ),
        (WatermarkError, "is text, which cannot", {"watermark": "note"}),
        (TableError, "'at', unknown to", {"sql": "select at from origin where at >= %(watermark)s"}),
        (LoadError, "no such table", {"sql": "select * from gone where at >= %(watermark)s"}),
        (LoadError, "no rows", {"sql": "insert into origin (at) values (%(watermark)s)"}),
    ],
)
def test_refusals_name_the_cause(
    play: Any, files: Any, error: type[Exception], told: str, options: dict[str, Any]
) -> None:
    given = {"parameters": None, **options} if "sql" in options else options
    with pytest.raises(error, match=told):
        load(play, files, **given)
    assert play.stored() == {}
