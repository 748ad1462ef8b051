from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from windlass.warehouse.errors import LoadError, StatementError, TableError, WatermarkError
from windlass.warehouse.identity import RunContext

pytestmark = pytest.mark.integration


def fill(play: Any, first: int, last: int, note: str = "a") -> None:
    play.source.execute(
        "insert into origin (id, note) select n, %s from generate_series(%s::int, %s::int) as n "
        "on conflict (id) do update set note = excluded.note, updated_at = now(), number = excluded.number",
        [note, first, last],
    )


def test_new_and_changed_rows_are_upserted_and_the_others_left(play: Any) -> None:
    fill(play, 1, 10)
    first = play.load()
    fill(play, 9, 12, "b")
    second = play.load()
    assert (first.table, first.read, first.inserted) == (f"{play.schema}.target", 10, 10)
    assert (second.inserted, second.updated) == (2, 2)
    assert second.watermark_before == first.watermark_after
    assert play.load().read == 4  # the closed bound reads the last ones again
    assert play.missing() == []
    stored = play.stored()
    assert (stored["source_name"], stored["rows_loaded"]) == (f"{play.schema}.target", 4)


def test_an_empty_source_makes_no_watermark(play: Any) -> None:
    result = play.load()
    assert (result.read, result.watermark_after, result.started_over) == (0, None, False)
    play.source.execute("insert into origin values (1, 'old', '2020-01-01Z')")
    assert play.load().watermark_after == "2020-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("type_name", "values", "overlap"),
    [
        ("timestamp", ["2024-01-01 00:00", "2024-01-01 00:10", "2024-01-01 00:09"], "PT1M"),
        ("timestamptz", ["2024-01-01Z", "2024-01-01 00:00:10Z", "2024-01-01 00:00:09Z"], "1s"),
        ("date", ["2024-01-01", "2024-01-20", "2024-01-19"], "1h"),
        ("smallint", [1, 10, 9], 1),
        ("bigint", [1, 2**62, 2**62 - 1], "1"),
        ("numeric", ["0.1", "100.00000000000000000001", "100"], "0.5"),
    ],
)
def test_every_kind_of_watermark_comes_back_as_it_was(
    play: Any, type_name: str, values: list[Any], overlap: Any
) -> None:
    play.warehouse.execute(
        f"create table o (id int, w {type_name}); create table t (id int primary key, w {type_name});"
        f"set timezone to 'Asia/Tokyo'; set datestyle to 'German'"
    )
    play.source.execute("set timezone to 'America/New_York'; set datestyle to 'SQL'")
    options = {"table": f"{play.schema}.t", "sql": "select * from o", "watermark": "w", "overlap": overlap}
    play.source.execute(f"insert into o values (1, '{values[0]}'), (2, '{values[1]}')")
    assert play.load(**options).inserted == 2
    play.source.execute(f"insert into o values (3, '{values[2]}')")
    again = play.load(**options)
    assert (again.read, again.inserted) == (2, 1)
    assert again.watermark_before == again.watermark_after == play.load(**options).watermark_before
    (kept,) = play.warehouse.execute(
        f"select '{again.watermark_after}'::{type_name} = max(w) from t"
    ).fetchone()
    assert kept


def test_start_leaves_out_what_is_older_and_the_overlap_reads_late_rows(play: Any) -> None:
    play.source.execute(
        "insert into origin values (1, '', '2024-01-01Z'), (2, '', '2024-02-01Z'), (3, '', '2024-03-01Z')"
    )
    assert play.load(start="2024-02-01").inserted == 2
    play.source.execute("insert into origin values (4, '', '2024-02-28Z'), (5, '', '2024-02-27Z')")
    assert play.load(overlap="2d").inserted == 1  # leap year: the 28th is two days before March
    assert play.load(overlap="3d").inserted == 1


def test_rows_without_a_watermark_are_read_every_time(play: Any) -> None:
    fill(play, 1, 3)
    play.source.execute("insert into origin values (7, 'unstamped', null)")
    assert play.load().without_watermark == 1
    play.source.execute("insert into origin values (8, 'unstamped', null)")
    result = play.load()
    assert (result.without_watermark, result.inserted) == (2, 1)
    assert play.missing() == []


def test_a_stamp_from_the_future_does_not_hide_the_rows_of_today(play: Any) -> None:
    play.source.execute(
        "insert into origin values (1, 'wrong clock', now() + interval '1 year'), (2, '', 'infinity')"
    )
    first = play.load()
    fill(play, 3, 3)
    play.load()
    assert first.watermark_after < "2100"
    assert play.missing() == []


def test_a_watermark_ahead_of_the_sources_clock_goes_back_with_it(play: Any) -> None:
    fill(play, 1, 1)
    play.load()
    play.warehouse.execute(
        "update ops.load_watermark set watermark = jsonb_set(watermark, '{value}', "
        "to_jsonb(now() + interval '1 hour')) where pipeline = %s",
        [play.schema],
    )
    with capture_logs() as logs:
        play.load()
    fill(play, 2, 2)
    assert [each["event"] for each in logs] == ["source_clock_behind_watermark"]
    assert play.load().inserted == 1


@pytest.mark.parametrize(
    "how",
    [
        "truncate target",
        "create table t (like target including all); drop table target; alter table t rename to target",
    ],
)
def test_a_target_that_was_emptied_or_created_anew_is_filled_from_the_start(play: Any, how: str) -> None:
    fill(play, 1, 5)
    play.load()
    play.source.execute("update origin set updated_at = now() where id = 5")
    play.load()
    play.warehouse.execute(how)
    with capture_logs() as logs:
        result = play.load()
    assert (result.started_over, result.inserted) == (True, 5)
    assert logs[0]["event"] == "target_emptied"
    assert play.load().started_over is False


def test_of_a_log_of_changes_the_newest_row_of_a_key_wins(play: Any) -> None:
    play.source.execute(
        "create table log (id int, note text, updated_at timestamptz);"
        "insert into log values (1, 'old', '2024-01-01Z'), (1, 'new', '2024-01-03Z'), "
        "(1, 'mid', '2024-01-02Z'), (2, 'same', '2024-01-01Z'), (2, 'same', '2024-01-01Z'), "
        "(3, 'only', '2024-01-01Z')"
    )
    result = play.load(sql="select * from log")
    assert (result.read, result.superseded, result.inserted) == (6, 3, 3)
    found = play.warehouse.execute("select id, note from target order by id").fetchall()
    assert found == [(1, "new"), (2, "same"), (3, "only")]


@pytest.mark.parametrize("stamp", ["'2024-01-03Z'", "null"])
def test_rows_of_a_key_of_which_none_is_the_newest_are_refused(play: Any, stamp: str) -> None:
    play.source.execute(
        "create table log (id int, note text, updated_at timestamptz); insert into log values "
        f"(1, 'one', '2024-01-01Z'), (3, 'other', '2024-01-03Z'), (3, 'third', {stamp})"
    )
    with pytest.raises(WatermarkError, match=r"1 keys \(id\).*: \(3\)"):
        play.load(sql="select * from log")
    assert play.load(sql="select distinct on (id) * from log order by id, updated_at").inserted == 2


def test_a_query_with_joins_parameters_and_comments_is_wrapped(play: Any, tmp_path: Path) -> None:
    fill(play, 1, 9)
    (tmp_path / "q.sql").write_text(
        "-- orders; of some\nselect o.id, %(prefix)s || o.note as note, greatest(o.updated_at, p.updated_at) "
        "as updated_at\nfrom origin as o join origin as p on p.id = o.id\nwhere o.note <> '50%; --' -- end\n;"
    )
    options = {"sql_file": tmp_path / "q.sql", "parameters": {"prefix": "it's "}}
    assert play.load(**options).inserted == 9
    fill(play, 3, 3, "changed")
    result = play.load(**options)
    assert (result.read, result.updated) == (1, 1) or result.read == 9
    assert play.warehouse.execute("select note from target where id = 3").fetchone() == ("it's changed",)


def test_a_query_may_compare_with_the_watermark_itself(play: Any) -> None:
    fill(play, 1, 3)
    options = {"sql": "select * from origin where updated_at >= %(watermark)s and id < 100"}
    with pytest.raises(WatermarkError, match="none yet"):
        play.load(**options)
    assert play.load(**options, start="2000-01-01").inserted == 3
    fill(play, 50, 150)
    assert play.load(**options).inserted == 50


def test_the_pipeline_is_the_task_by_default(play: Any) -> None:
    fill(play, 1, 1)
    task = RunContext(dag_id=play.schema, run_id="r", task_id="t", map_index=2)
    play.load(pipeline=None, context=task)
    play.load(pipeline=None, context=RunContext(dag_id=play.schema, run_id="r", task_id="t"), source_name="s")
    found = play.warehouse.execute(
        "delete from ops.load_watermark where starts_with(pipeline, %s) returning pipeline, source_name",
        [play.schema],
    ).fetchall()
    assert sorted(found) == [(f"{play.schema}.t", "s"), (f"{play.schema}.t[2]", f"{play.schema}.target")]
    with pytest.raises(WatermarkError, match="whose watermark"):
        play.load(pipeline=None)


def test_two_loads_of_one_pipeline_go_one_after_the_other(play: Any) -> None:
    fill(play, 1, 5)
    gate = play.connect()
    gate.execute("select pg_advisory_lock(4711)")
    sources, warehouses = [play.connect(), play.connect()], [play.connect(), play.connect()]
    sql = "select o.* from origin as o, (select pg_advisory_lock_shared(4711) offset 0) as gate"
    waits = []
    for number in (0, 1):
        options = {"source": sources[number], "sql": sql, "overlap": "0s"}
        waits.append(play.background(lambda n=number, o=options: play.load(warehouses[n], **o)))
        waiting = sources[0] if number == 0 else warehouses[1]
        play.until(
            "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s", waiting.info.backend_pid
        )
    gate.execute("select pg_advisory_unlock(4711)")
    first, second = (wait() for wait in waits)
    assert (first.inserted, second.inserted) == (5, 0)
    assert second.watermark_before == first.watermark_after
    assert play.missing() == []


def test_a_load_goes_with_the_callers_transaction(play: Any) -> None:
    fill(play, 1, 2)
    with play.warehouse.transaction(force_rollback=True):
        assert play.load().inserted == 2
        assert play.load().inserted == 0
    assert play.stored() == {}
    assert play.load().inserted == 2


def refused(play: Any, error: type[Exception], told: str, **options: Any) -> None:
    with pytest.raises(error, match=told):
        play.load(**options)
    assert play.warehouse.execute("select count(*) from target").fetchone() == (0,)
    assert play.stored() == {}


@pytest.mark.parametrize(
    ("error", "told", "options"),
    [
        (WatermarkError, "no column 'nope'", {"watermark": "nope"}),
        (WatermarkError, "'note' of the query is text, which", {"watermark": "note"}),
        (TableError, "'more', unknown to play_", {"sql": "select *, 1 as more from origin"}),
        (StatementError, "division by zero", {"sql": "select * from origin where 1 / (id - 2) > 5"}),
        (TableError, "'id' twice", {"sql": "select *, 1 as id from origin"}),
        (TableError, "unique constraint", {"key": ["note"]}),
        (StatementError, r"<sql>:2:6: relation \"gone\"", {"sql": "select 1\nfrom gone"}),
        (
            LoadError,
            "division by zero",
            {"sql": "select id, now() as updated_at, 1/(id-2)||'' as note from origin"},
        ),
        (WatermarkError, "Overlap 'soon'", {"overlap": "soon"}),
        (WatermarkError, "'tomorrow' is not a position", {"start": "tomorrow"}),
        (LoadError, 'integer: "x"', {"sql": "select 'x'::text as id, updated_at from origin"}),
        (LoadError, "null in the key", {"sql": "select null::int as id, updated_at from origin"}),
    ],
)
@pytest.mark.parametrize("elsewhere", [True, False])
def test_refusals_name_the_cause_and_load_nothing(
    play: Any, error: type[Exception], told: str, options: dict[str, Any], elsewhere: bool
) -> None:
    fill(play, 1, 3)
    refused(play, error, told, **options, **({} if elsewhere else {"source": None}))


def test_a_constraint_of_the_target_stops_the_whole_increment(play: Any) -> None:
    play.warehouse.execute("alter table target alter note set not null")
    fill(play, 1, 3)
    play.source.execute("insert into origin values (4)")
    refused(play, LoadError, '"note".*not-null')
    play.source.execute("update origin set note = 'mended', updated_at = now() where id = 4")
    assert play.load().inserted == 4


def test_another_column_or_type_than_the_watermarks_is_refused(play: Any) -> None:
    fill(play, 1, 3)
    play.load()
    with pytest.raises(WatermarkError, match=r"'updated_at'.*goes by column 'number'"):
        play.load(watermark="number")
    with pytest.raises(WatermarkError, match=r"with time zone.*column 'updated_at' \(date"):
        play.load(sql="select id, updated_at::date from origin")


def test_connections_that_see_an_old_state_are_refused(play: Any) -> None:
    with play.source.transaction():
        refused(play, WatermarkError, "source is in a transaction")
    play.warehouse.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(WatermarkError, match="repeatable read"), play.warehouse.transaction():
        play.load(source=None)


def test_names_with_everything_in_them(play: Any) -> None:
    play.warehouse.execute(
        'create table "Ziel; %s" ("Schlüssel ""1""" int primary key, "at %(x)s" timestamptz);'
        'create table "Quelle" as select 1 as "Schlüssel ""1""", now() as "at %(x)s"'
    )
    options = {
        "table": f'{play.schema}."Ziel; %s"',
        "sql": 'select * from "Quelle"',
        "watermark": "at %(x)s",
        "key": ['Schlüssel "1"'],
        "source_name": "'; drop table x; --",
    }
    assert play.load(**options).inserted == 1
    assert play.load(**options).unchanged == 1
    assert play.load(**options, source=None).unchanged == 1


@pytest.mark.parametrize(
    "tail",
    [
        "order by updated_at limit 5",
        "OFFSET 2",
        "order by id fetch first 5 rows only",
        "limit (select 5) -- limit",
    ],
)
def test_a_query_that_leaves_rows_out_by_number_is_refused(play: Any, tail: str) -> None:
    """Its condition would stand behind the limit: the first five rows for ever."""
    fill(play, 1, 9)
    refused(play, WatermarkError, r"leaves rows out.*<sql>:1:\d+", sql=f"select * from origin {tail}")


@pytest.mark.parametrize(
    "query",
    [
        "select o.* from origin o where id in (select id from origin order by id limit 99)",
        "with limits as (select 1 limit 1) select o.* from origin as o, limits",
        "select o.id, o.note, o.updated_at from (select *, 1 as limit from origin) as o where o.limit = 1",
    ],
)
def test_limits_within_a_query_are_the_users_business(play: Any, query: str) -> None:
    fill(play, 1, 9)
    assert play.load(sql=query).inserted == 9


def test_a_source_connection_that_opens_transactions_itself_is_refused_before_it_reads(play: Any) -> None:
    fill(play, 1, 3)
    refused(play, WatermarkError, "opens a transaction with each", source=play.connect(autocommit=False))
    # Where source and warehouse are one connection, the load's own transaction is meant.
    assert play.load(play.connect(autocommit=False), source=None).inserted == 3


@pytest.mark.parametrize("who", ["source", "warehouse"])
def test_text_arrives_as_it_is_whatever_encoding_a_connection_speaks(play: Any, who: str) -> None:
    play.source.execute("insert into origin (id, note) values (1, 'für'), (2, 'Ã¼')")
    getattr(play, who).execute("set client_encoding to 'LATIN1'")
    assert play.load().inserted == 2
    assert play.missing() == []
