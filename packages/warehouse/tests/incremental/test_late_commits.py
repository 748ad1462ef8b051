"""Rows that become visible after rows with higher watermarks: none is missed, without any overlap."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("watermark", ["updated_at", "number"])
def test_a_row_committed_after_a_higher_one_is_loaded(play: Any, watermark: str) -> None:
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (1, 'early')")
    play.source.execute("insert into origin values (2, 'later')")

    first = play.load(watermark=watermark)
    early.commit()
    second = play.load(watermark=watermark)
    third = play.load(watermark=watermark)

    assert (first.inserted, first.held_back, first.watermark_after) == (1, 1, None)
    assert (second.inserted, second.held_back) == (1, 0)
    assert second.watermark_after == first.pending
    assert third.watermark_after == first.pending
    assert play.missing() == []


def test_nothing_in_flight_moves_the_watermark_at_once(play: Any) -> None:
    play.source.execute("insert into origin values (1)")
    result = play.load()
    assert (result.held_back, result.pending, result.oldest) == (0, None, None)
    assert result.watermark_after is not None
    assert play.stored()["watermark"]["value"] == result.watermark_after


def test_a_transaction_open_over_many_loads_holds_the_watermark_and_nothing_else(play: Any) -> None:
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (0, 'early')")
    pendings = set()
    for n in range(1, 4):
        play.source.execute("insert into origin values (%s)", [n])
        result = play.load()
        assert (result.inserted, result.read, result.watermark_after) == (1, n, None)
        pendings.add(result.pending)
    early.execute("insert into origin values (9, 'of the same transaction')")
    early.commit()

    after = play.load()
    assert (after.inserted, after.held_back) == (2, 0)
    assert len(pendings) == 1
    assert after.watermark_after > pendings.pop()  # nothing is in flight: as far as was seen now
    assert play.load().read == 1
    assert play.missing() == []


def test_a_transaction_begun_after_the_position_was_seen_does_not_hold_it(play: Any) -> None:
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (1)")
    play.source.execute("insert into origin values (2)")
    first = play.load()
    other = play.connect(autocommit=False)
    other.execute("insert into origin values (3)")
    early.commit()
    play.source.execute("insert into origin values (4)")

    second = play.load()
    assert second.watermark_after == first.pending
    assert second.held_back == 1
    assert second.pending > first.pending
    other.commit()
    assert play.load().watermark_after == second.pending
    assert play.missing() == []


def test_nobody_is_waited_for_when_there_is_nothing_higher(play: Any) -> None:
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (1)")
    play.source.execute("insert into origin values (2)")
    first = play.load()
    early.commit()
    idle = play.connect(autocommit=False)
    idle.execute("select 1")
    second = play.load()
    play.source.execute("delete from origin where id = 2")
    third = play.load()
    assert (second.watermark_after, second.held_back) == (first.pending, 0)
    assert (third.watermark_after, third.held_back) == (first.pending, 0)
    idle.rollback()


def test_rows_that_a_rolled_back_transaction_had_are_not_waited_for(play: Any) -> None:
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (1)")
    play.source.execute("insert into origin values (2)")
    first = play.load()
    early.rollback()
    assert play.load().watermark_after == first.pending
    assert play.missing() == []


def test_a_short_transaction_is_waited_for(play: Any) -> None:
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (1)")
    play.source.execute("insert into origin values (2)")
    loading = play.background(lambda: play.load(patience=30))
    play.until(
        "select query like '%%pg_prepared_xacts%%' from pg_stat_activity where pid = %s",
        play.source.info.backend_pid,
    )
    early.commit()
    result = loading()
    assert (result.inserted, result.held_back) == (2, 0)
    assert result.watermark_after is not None
    assert play.missing() == []


def test_who_holds_the_watermark_back_is_told(play: Any) -> None:
    idle = play.connect(autocommit=False)
    idle.execute("set local application_name to 'forgotten'")
    play.source.execute("insert into origin values (1)")
    with capture_logs() as logs:
        result = play.load()
    assert result.oldest.pid == idle.info.backend_pid
    assert result.oldest.application == "forgotten"
    assert result.oldest.state == "idle in transaction"
    assert result.oldest.since is not None
    (event,) = [each for each in logs if each["event"] == "watermark_held_back"]
    assert event["log_level"] == "warning"
    assert (event["oldest_pid"], event["transactions"]) == (idle.info.backend_pid, 1)
    idle.rollback()


def test_a_role_without_privileges_sees_who_is_in_flight(play: Any, limited_role: Any) -> None:
    from windlass.warehouse.connection import connect

    limited = limited_role(play.database.dsn)
    role = limited.partition("user=")[2].partition(" ")[0]
    play.warehouse.execute(f"grant usage on schema {play.schema} to {role}; grant select on origin to {role}")
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (1)")
    play.source.execute("insert into origin values (2)")
    with connect(limited, autocommit=True) as source:
        source.execute(f"set search_path to {play.schema}")
        first = play.load(source=source)
        early.commit()
        assert play.load(source=source).watermark_after == first.pending
    assert (first.held_back, first.oldest.pid) == (1, early.info.backend_pid)
    assert (first.oldest.since, first.oldest.state) == (None, None)
    assert play.missing() == []
    play.warehouse.execute(f"drop owned by {role}")


def test_transactions_of_other_databases_and_vacuums_do_not_hold_it(play: Any, warehouse_server: Any) -> None:
    play.source.execute("insert into origin values (1)")
    with warehouse_server.database() as other, other.connect() as elsewhere:
        elsewhere.execute("create table t as select 1")
        assert play.load().held_back == 0
        elsewhere.rollback()


def test_the_loads_own_transactions_do_not_hold_it(play: Any) -> None:
    play.source.execute("insert into origin values (1)")
    assert play.load(source=None).held_back == 0
    play.source.execute("insert into origin values (2)")
    with play.warehouse.transaction():
        play.warehouse.execute("insert into origin values (3)")
        assert play.load().held_back == 0
    assert play.load(source=None).inserted == 1
    assert play.missing() == []


def test_a_load_from_the_same_connection_misses_nothing_either(play: Any) -> None:
    early = play.connect(autocommit=False)
    early.execute("insert into origin values (1)")
    play.source.execute("insert into origin values (2)")
    assert play.load(source=None).held_back == 1
    early.commit()
    assert play.load(source=None).held_back == 0
    assert play.missing() == []
