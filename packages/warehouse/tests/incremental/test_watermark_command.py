from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from windlass.warehouse.cli import main

pytestmark = pytest.mark.integration


@pytest.fixture
def run(play: Any, capsys: Any) -> Any:
    def run(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["watermark", *words, "--dsn", play.database.dsn])
        out, err = capsys.readouterr()
        assert ended.value.code == code, err
        return out + err

    return run


@pytest.fixture
def loaded(play: Any) -> Any:
    play.source.execute(
        "insert into origin (id, updated_at) select n, '2024-01-01Z'::timestamptz + n * interval '1 day' "
        "from generate_series(1, 9) as n"
    )
    play.load()
    return play


def test_watermarks_are_listed_and_shown(loaded: Any, run: Any) -> None:
    assert loaded.schema in run("list")
    (entry,) = [each for each in json.loads(run("list", "--json")) if each["pipeline"] == loaded.schema]
    assert entry["watermark"] == "2024-01-10T00:00:00+00:00"
    assert (entry["column"], entry["type"], entry["held_back"]) == (
        "updated_at",
        "timestamp with time zone",
        0,
    )
    assert json.loads(run("show", "--pipeline", loaded.schema, "--json")) == [entry]
    assert "2024-01-10T00:00:00+00:00" in run("show", "--pipeline", loaded.schema)
    assert "has no watermark" in run("show", "--pipeline", "nope", code=1)
    assert run("show", "--pipeline", "nope", "--json", code=1) == "[]\n"


def test_a_watermark_that_is_set_back_has_rows_read_again(loaded: Any, run: Any) -> None:
    loaded.source.execute("update origin set note = 'mended' where id >= 5")  # not stamped
    assert loaded.load().updated == 1
    told = run("set", "--pipeline", loaded.schema, "--to", "2024-01-06", "--json")
    assert json.loads(told)["watermark"] == "2024-01-06T00:00:00+00:00"
    assert loaded.load().updated == 4
    assert loaded.missing() == []


def test_a_reset_reads_everything_and_doubles_nothing(loaded: Any, run: Any) -> None:
    assert "Forgotten" in run("reset", "--pipeline", loaded.schema)
    result = loaded.load()
    assert (result.read, result.unchanged, result.started_over) == (9, 9, False)


def test_a_watermark_may_be_set_before_the_first_load_and_for_an_emptied_table(loaded: Any, run: Any) -> None:
    loaded.warehouse.execute("truncate target")
    run("set", "--pipeline", loaded.schema, "--to", "2024-01-09")
    assert loaded.load().inserted == 2
    run("set", "--pipeline", loaded.schema, "--source", "new", "--to", "2024-01-08")
    assert loaded.load(source_name="new").read == 3


def test_misuse_is_told(loaded: Any, run: Any) -> None:
    run("set", "--pipeline", loaded.schema, "--source", "new", "--to", "5")
    assert "has 2 watermarks" in run("reset", "--pipeline", loaded.schema, code=1)
    table = f"{loaded.schema}.target"
    assert "is not a position" in run(
        "set", "--pipeline", loaded.schema, "--source", table, "--to", "soon", code=1
    )
    assert "has no watermark" in run("set", "--pipeline", "nope", "--to", "5", code=1)
    assert json.loads(run("reset", "--pipeline", "nope", "--json", code=1))["error"]["code"] == "WWH550"


def test_a_running_load_is_not_disturbed(loaded: Any, run: Any, monkeypatch: Any) -> None:
    from windlass.warehouse.incremental import ledger

    monkeypatch.setattr(ledger, "_PATIENCE", "50ms")
    with loaded.warehouse.transaction():
        loaded.load()
        loaded.load(source_name="first")
        assert "is running" in run("reset", "--pipeline", loaded.schema, code=1)
        assert "is running" in run(
            "set", "--pipeline", loaded.schema, "--source", "first", "--to", "2024-01-01", code=1
        )


def test_what_is_no_position_of_any_column_is_refused_before_the_first_load(play: Any, run: Any) -> None:
    given = ["set", "--pipeline", play.schema, "--source", f"{play.schema}.target", "--to"]
    for nonsense in ("", "banana", "2026-13-45", "now", "NaN", "infinity"):
        assert f"WWH550 {nonsense!r} is no position" in run(*given, nonsense, code=1)
    assert "has no watermark" in run("show", "--pipeline", play.schema, code=1)
    for position in ("-5", "3.25", "2026-01-31", "2026-01-31T06:00:00Z"):
        run(*given, position)


def test_an_instant_beyond_the_calendar_is_no_position(loaded: Any, run: Any) -> None:
    for beyond in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        told = run("set", "--pipeline", loaded.schema, "--to", beyond, code=1)
        assert f"WWH550 {beyond!r} is not a position" in told


@pytest.mark.parametrize(
    "words", [["list"], ["show", "--pipeline", "p"], ["set", "--pipeline", "p", "--to", "1"]]
)
def test_a_role_without_the_privilege_is_told_which(
    words: list[str], shared_warehouse: Any, limited_role: Any, capsys: Any
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["watermark", *words, "--dsn", limited_role(shared_warehouse.dsn)])
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert (
        "WWH105 The role may not do what keeping watermarks needs: permission denied for schema ops" in told
    )
    assert "grant usage on schema ops" in told


def test_a_session_that_only_reads_is_told_so(loaded: Any, capsys: Any) -> None:
    dsn = make_conninfo(loaded.database.dsn, options="-cdefault_transaction_read_only=on -cdatestyle=ISO")
    with pytest.raises(SystemExit):
        main(["watermark", "reset", "--pipeline", loaded.schema, "--dsn", dsn])
    assert "Keeping watermarks writes, and this database only reads" in capsys.readouterr().err
    assert loaded.stored()
