"""Triggers and rules of the target that drop or change rows behind a publish's back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from windlass.warehouse.errors import PublishError
from windlass.warehouse.publish import PublishResult, publish
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(warehouse: WarehouseDatabase) -> Iterator[Connection]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute(
            "create schema play; create table play.target (id int primary key, word text);"
            "create table play.landed (n int, id int, word text);"
            "insert into play.landed values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')"
        )
        yield opened


def add_trigger(
    connection: Connection, body: str, *, on: str = "before insert", table: str = "target"
) -> None:
    connection.execute(
        f"create function play.meddle() returns trigger language plpgsql as $$ begin {body} end $$;"
        f"create trigger meddler {on} on play.{table} for each row execute function play.meddle()"
    )


def publish_landed(connection: Connection) -> PublishResult:
    return publish(
        connection,
        table="play.target",
        source_table="play.landed",
        key=["id"],
        sql="select id, word from play.landed order by n",
    )


def counts(result: PublishResult) -> tuple[int, int, int, int]:
    return result.inserted, result.updated, result.unchanged, result.rejected


def target(connection: Connection) -> list[Any]:
    return connection.execute("select id, word from play.target order by id").fetchall()


def rejects(connection: Connection) -> list[Any]:
    return connection.execute(
        "select row_key, problems -> 0 ->> 'kind', problems -> 0 ->> 'reason' from ops.rejected_row "
        "order by row_key"
    ).fetchall()


def test_a_row_that_a_trigger_drops_is_rejected_by_its_name(connection: Connection) -> None:
    add_trigger(connection, "if new.id = 2 then return null; end if; return new;")

    assert counts(publish_landed(connection)) == (2, 0, 0, 1)
    assert counts(publish_landed(connection)) == (0, 0, 2, 1)

    ((key, kind, reason),) = rejects(connection)
    assert (key, kind) == ("2", "invalid_value")
    assert "trigger meddler" in reason
    assert target(connection) == [(1, "a"), (3, "c")]


def test_a_later_copy_is_published_when_the_trigger_drops_the_first(connection: Connection) -> None:
    add_trigger(connection, "if new.word = 'b' then return null; end if; return new;")
    connection.execute("insert into play.landed values (4, 2, 'good')")

    assert counts(publish_landed(connection)) == (3, 0, 0, 1)
    assert target(connection) == [(1, "a"), (2, "good"), (3, "c")]


def test_an_update_that_a_trigger_drops_is_rejected(connection: Connection) -> None:
    publish_landed(connection)
    add_trigger(connection, "if new.id = 2 then return null; end if; return new;", on="before update")
    connection.execute("update play.landed set word = upper(word)")

    assert counts(publish_landed(connection)) == (0, 2, 0, 1)
    assert target(connection) == [(1, "A"), (2, "b"), (3, "C")]


def test_a_trigger_that_changes_the_key_stops_the_publish(connection: Connection) -> None:
    add_trigger(connection, "new.id := new.id + 10; return new;")
    with pytest.raises(PublishError, match="trigger meddler"):
        publish_landed(connection)
    assert target(connection) == []


def test_a_trigger_that_deletes_what_was_inserted_stops_the_publish(connection: Connection) -> None:
    add_trigger(connection, "delete from play.target where id = new.id; return null;", on="after insert")
    with pytest.raises(PublishError, match="trigger meddler"):
        publish_landed(connection)


def test_a_trigger_that_drops_some_and_rewrites_others_stops_an_update(connection: Connection) -> None:
    publish_landed(connection)
    add_trigger(
        connection,
        "if new.id = 2 then return null; end if; new.word := 'x' || new.word; return new;",
        on="before update",
    )
    connection.execute("update play.landed set word = upper(word)")
    with pytest.raises(PublishError, match="trigger meddler"):
        publish_landed(connection)


def test_a_trigger_that_rewrites_values_only_is_let_do_so(connection: Connection) -> None:
    add_trigger(connection, "new.word := upper(new.word); return new;", on="before insert or update")
    assert counts(publish_landed(connection)) == (3, 0, 0, 0)
    assert target(connection) == [(1, "A"), (2, "B"), (3, "C")]
    assert counts(publish_landed(connection)) == (0, 3, 0, 0)


@pytest.mark.parametrize("condition", ["", "where new.id = 2"])
def test_a_row_that_a_rule_drops_is_rejected(connection: Connection, condition: str) -> None:
    connection.execute(f"create rule swallow as on insert to play.target {condition} do instead nothing")
    result = publish_landed(connection)
    assert result.rejected == (1 if condition else 3)
    assert result.unchanged == 0
    assert all("rule swallow" in reason for _, _, reason in rejects(connection))


def test_a_rule_that_sends_rows_elsewhere_stops_the_publish(connection: Connection) -> None:
    connection.execute(
        "create table play.elsewhere (like play.target);"
        "create rule divert as on insert to play.target do instead insert into play.elsewhere values (new.*)"
    )
    with pytest.raises(PublishError, match="rule divert"):
        publish_landed(connection)


def test_a_trigger_of_a_partition_is_seen(connection: Connection) -> None:
    connection.execute(
        "drop table play.target;"
        "create table play.target (id int primary key, word text) partition by range (id);"
        "create table play.part partition of play.target for values from (0) to (100)"
    )
    add_trigger(connection, "if new.id = 2 then return null; end if; return new;", table="part")
    assert counts(publish_landed(connection)) == (2, 0, 0, 1)


def test_a_disabled_trigger_is_no_reason_to_look(connection: Connection) -> None:
    add_trigger(connection, "return null;")
    connection.execute("alter table play.target disable trigger meddler")
    assert counts(publish_landed(connection)) == (3, 0, 0, 0)
