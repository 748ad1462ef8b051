"""A source of its own, which is restarted, prepares transactions and becomes a standby."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.errors import WatermarkError

pytestmark = pytest.mark.integration


class Shop:
    """The source's server."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self.connections: list[psycopg.Connection[Any]] = []

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        self.connections.append(connect(self.server.dsn(), autocommit=autocommit))
        return self.connections[-1]

    def disconnect(self) -> None:
        while self.connections:
            self.connections.pop().close()

    def restart(self, *, standby: bool = False) -> None:
        self.disconnect()
        self.server.stop()
        if standby:
            (self.server.status().cluster_dir / "standby.signal").touch()
        self.server.start()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    top = Path(tempfile.mkdtemp(prefix="wt", dir="/tmp"))
    top.chmod(0o711)
    server = EmbeddedPostgres(top / "pg", durable=False, system_dir=top / "system")
    try:
        server.start()
        opened = Shop(server)
        opened.connect().execute("alter system set max_prepared_transactions = 5")
        opened.connect().execute("alter system set wal_level = 'replica'")
        opened.restart()
        yield opened
        opened.disconnect()
    finally:
        server.destroy()
        shutil.rmtree(top)


@pytest.fixture
def origin(shop: Shop) -> psycopg.Connection[Any]:
    connection = shop.connect()
    connection.execute(
        "drop table if exists origin; create table origin "
        "(id int primary key, note text, updated_at timestamptz default now(), number bigint)"
    )
    return connection


def ids(play: Any) -> list[int]:
    return [row[0] for row in play.warehouse.execute("select id from target order by id")]


def test_a_prepared_transaction_is_waited_for_even_after_a_restart(
    play: Any, shop: Shop, origin: Any
) -> None:
    origin.execute("begin; insert into origin values (1, 'prepared'); prepare transaction 'transfer'")
    shop.connect().execute("insert into origin values (2, 'later')")
    first = play.load(source=shop.connect())
    shop.restart()
    second = play.load(source=shop.connect())
    shop.connect().execute("commit prepared 'transfer'")
    third = play.load(source=shop.connect())
    assert (first.held_back, first.oldest.prepared, first.oldest.name) == (1, True, "transfer")
    assert (second.held_back, second.watermark_after) == (1, None)
    assert (third.inserted, third.watermark_after, third.held_back) == (1, first.pending, 0)
    assert ids(play) == [1, 2]


def test_a_transaction_that_is_prepared_later_is_not_lost_sight_of(
    play: Any, shop: Shop, origin: Any
) -> None:
    early = shop.connect()
    early.execute("begin; insert into origin values (1, 'early')")
    origin.execute("insert into origin values (2, 'later')")
    first = play.load(source=shop.connect())
    early.execute("prepare transaction 'unheard of'")
    second = play.load(source=shop.connect())
    early.execute("commit prepared 'unheard of'")
    third = play.load(source=shop.connect())
    assert (first.held_back, first.oldest.prepared) == (1, False)
    assert (second.held_back, second.watermark_after, second.oldest.name) == (1, None, "unheard of")
    assert (third.inserted, third.watermark_after) == (1, first.pending)


def take_name(connections: list[psycopg.Connection[Any]], wanted: str) -> None:
    """Have one of the connections be in a transaction of this virtual id, which a restart frees."""
    for connection in connections:
        for _ in range(200):
            (name,) = connection.execute(
                "select virtualxid from pg_locks where locktype = 'virtualxid' and pid = pg_backend_pid()"
            ).fetchone() or ("",)
            if name == wanted:
                return
            connection.rollback()
            if name.partition("/")[0] != wanted.partition("/")[0]:
                break
    raise AssertionError(wanted)


def test_a_restart_ends_the_transactions_that_were_in_flight(play: Any, shop: Shop, origin: Any) -> None:
    early = shop.connect()
    for _ in range(100):
        early.execute("select 1")
    early.execute("begin; insert into origin values (1, 'lost')")
    origin.execute("insert into origin values (2, 'later')")
    first = play.load(source=shop.connect())
    shop.restart()
    take_name([shop.connect(autocommit=False) for _ in range(24)], first.oldest.name)
    second = play.load(source=shop.connect())
    assert first.held_back == 1
    assert second.watermark_after == first.pending
    assert ids(play) == [2]


def test_a_standby_needs_an_overlap(play: Any, shop: Shop, origin: Any) -> None:
    origin.execute("insert into origin values (1, 'replayed')")
    shop.restart(standby=True)
    with pytest.raises(WatermarkError, match="standby"):
        play.load(source=shop.connect(), overlap=None)
    result = play.load(source=shop.connect(), overlap="1h")
    assert (result.inserted, result.held_back) == (1, 0)
    assert play.load(source=shop.connect(), overlap="1h").read == 1
