"""Import the warehouse package: beside a bare interpreter, psycopg alone and dlt, a process each."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness import Cost, Row, Side, alternate, peer_environment, run_process

VERSIONS = ("windlass-warehouse", "psycopg")

_BUDGET_SECONDS = 0.15
_PEER = "dlt[postgres]==1.31.0"


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rounds", type=int, default=9, help="runs of each side (default: 9)")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure whole processes, less the time of a bare one."""
    pairs = alternate(
        partial(_import, "windlass.warehouse"), partial(_import, "sys"), rounds=arguments.rounds
    )
    yield Row.budget("import windlass.warehouse", _beyond(*pairs), _BUDGET_SECONDS, unit="s")
    pairs = alternate(
        partial(_import, "windlass.warehouse.load.file"), partial(_import, "psycopg"), rounds=arguments.rounds
    )
    yield Row("import what loads a file", _side(pairs[0]), _side(pairs[1]), "psycopg alone", "s", 1.5)
    with tempfile.TemporaryDirectory(prefix="windlass-benchmark-", dir="/tmp") as folder:
        python = str(peer_environment(Path(folder) / "dlt", _PEER) / "python")
        ours, peer = alternate(
            partial(_import, "windlass.warehouse.load.file"),
            partial(_import, "dlt", python=python),
            rounds=arguments.rounds,
        )
        yield Row("the same, beside dlt", _side(ours), _side(peer), "import dlt", "s", 0.5)


def _import(module: str, *, python: str = sys.executable) -> Cost:
    return run_process([python, "-c", f"import {module}"])


def _beyond(costs: list[Cost], bare: list[Cost]) -> Side:
    """What each run took longer than the bare one beside it."""
    pairs = list(zip(costs, bare, strict=True))
    return Side(
        [max(0.0, cost.wall - floor.wall) for cost, floor in pairs],
        cpu=[max(0.0, cost.cpu - floor.cpu) for cost, floor in pairs],
    )


def _side(costs: list[Cost]) -> Side:
    return Side([cost.wall for cost in costs], cpu=[cost.cpu for cost in costs])
