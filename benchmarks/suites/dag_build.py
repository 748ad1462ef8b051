"""Build a DAG of ten tasks from its config: beside hand-written Python, dag-factory and blueprint."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import Row, Side, alternate
from suites._dags import (
    BLUEPRINT,
    DAG_FACTORY,
    Worker,
    airflow_settings,
    dag_id,
    make_peer,
    worker,
    write_blueprint,
    write_configs,
    write_dag_factory,
    write_python,
)

VERSIONS = ("windlass-dagfactory", "apache-airflow-core", "pydantic")

_GOAL_PYTHON = 1.05
_GOAL_PEERS = 0.25
_BUILDS = 40


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rounds", type=int, default=15, help=f"runs of {_BUILDS} builds each (default: 15)")
    parser.add_argument("--no-peers", action="store_true", help="do not install and run the peers")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure the CPU of one process, from file to DAG on every side, and of the constructors alone."""
    what = "CPU per DAG of 10 tasks, from its file"
    with tempfile.TemporaryDirectory(prefix="windlass-benchmark-", dir="/tmp") as name:
        folder = Path(name)
        write_configs(folder / "configs", 1)
        write_python(folder / "python", 1)
        with worker(airflow_settings(folder / "home")) as own:
            ours = _builder(own, "config", folder / "configs" / dag_id(0) / "dag.json")
            analysed = _builder(own, "analysed", folder / "configs" / dag_id(0) / "dag.json")
            for built, kind, told in (
                (ours, "python-file", what),
                (analysed, "python", "CPU of the constructors alone"),
            ):
                hand = _builder(own, kind, folder / "python" / f"{dag_id(0)}.py")
                pair = alternate(built, hand, rounds=arguments.rounds)
                yield Row(told, Side(pair[0]), Side(pair[1]), "hand-written Python", "ms", _GOAL_PYTHON)
            if arguments.no_peers:
                return
            write_dag_factory(folder / "dag-factory", 1)
            write_blueprint(folder / "blueprint", 1)
            for requirement, kind, suffix in (
                (DAG_FACTORY, "dag-factory", "yml"),
                (BLUEPRINT, "blueprint", "dag.yaml"),
            ):
                python = make_peer(folder / f"env-{kind}", requirement)
                with worker(airflow_settings(folder / f"home-{kind}"), python) as other:
                    peer = _builder(other, kind, folder / kind / f"{dag_id(0)}.{suffix}")
                    pair = alternate(ours, peer, rounds=arguments.rounds)
                yield Row(what, Side(pair[0]), Side(pair[1]), requirement, "ms", _GOAL_PEERS)


def _builder(process: Worker, kind: str, path: Path) -> Callable[[], float]:
    return lambda: process.ask("build", kind, str(path), _BUILDS) * 1000
