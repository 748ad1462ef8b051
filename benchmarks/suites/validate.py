"""Check a thousand configs with `windlass-dags validate`: whole processes, beside dag-factory's lint."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Cost, Row, Side, alternate, run_process
from suites._dags import DAG_FACTORY, airflow_settings, dag_id, make_peer, write_dag_factory

VERSIONS = ("windlass-dagfactory", "windlass-warehouse", "pydantic")

_FILES = 1_000
_BUDGET = 1.5
_GOAL_PEER = 0.25


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rounds", type=int, default=7, help="runs of each side (default: 7)")
    parser.add_argument("--no-peers", action="store_true", help="do not install and run dag-factory")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure processes from start to end; the configs name registered operators only."""
    with tempfile.TemporaryDirectory(prefix="windlass-benchmark-", dir="/tmp") as name:
        folder = Path(name)
        _write(folder / "configs")
        _assert_without_airflow(folder / "configs")
        command = [str(Path(sys.executable).parent / "windlass-dags"), "validate", str(folder / "configs")]

        def ours() -> Cost:
            return run_process(command)

        ours()
        yield Row.budget(
            f"validate {_FILES:,} files", _side([ours() for _ in range(arguments.rounds)]), _BUDGET, unit="s"
        )
        if arguments.no_peers:
            return
        write_dag_factory(folder / "yaml", _FILES)
        (folder / "yaml" / "loader.py").unlink()
        python = make_peer(folder / "environment", DAG_FACTORY)
        settings = airflow_settings(folder / "home")
        lint = [str(Path(python).parent / "dagfactory"), "lint", str(folder / "yaml")]
        costs = alternate(ours, lambda: run_process(lint, env=settings), rounds=min(arguments.rounds, 3))
        told = f"{DAG_FACTORY} lint, which checks the YAML's syntax"
        yield Row(f"check {_FILES:,} files", _side(costs[0]), _side(costs[1]), told, "s", _GOAL_PEER)


def _write(folder: Path) -> None:
    for number in range(_FILES):
        tasks: dict[str, Any] = {}
        for task in range(10):
            arguments = {"sql_file": f"t{task % 3}.sql", "conn_id": "warehouse_default"}
            tasks[f"t{task}"] = {"operator": "warehouse.transform", "args": arguments}
            if task:
                tasks[f"t{task}"]["depends_on"] = [f"t{task - 1}"]
        config = {
            "dag_id": dag_id(number),
            "schedule": "0 5 * * *",
            "start_date": "2026-01-01",
            "tasks": tasks,
        }
        path = folder / dag_id(number) / "dag.json"
        path.parent.mkdir(parents=True)
        for task in range(3):
            (path.parent / f"t{task}.sql").write_text("select 1\n", encoding="utf-8")
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _assert_without_airflow(folder: Path) -> None:
    code = (
        "import sys\n"
        "from windlass.dagfactory.cli import app\n"
        "try:\n"
        "    app(['validate', sys.argv[1]])\n"
        "finally:\n"
        "    assert 'airflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, stdout=subprocess.DEVNULL)


def _side(costs: list[Cost]) -> Side:
    return Side([cost.wall for cost in costs], [cost.cpu for cost in costs])
