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
    make_ours,
    make_peer,
    worker,
    write_blueprint,
    write_configs,
    write_dag_factory,
    write_python,
)

VERSIONS = ("windlass-dagfactory", "apache-airflow-core", "pydantic")

_GOAL_PYTHON = 1.05
_GOAL_NEW = 1.5
_GOAL_PEERS = 0.25
_BUILDS = 40
_WHAT = "CPU per DAG of 10 tasks, from its file"


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rounds", type=int, default=15, help=f"runs of {_BUILDS} builds each (default: 15)")
    parser.add_argument("--no-peers", action="store_true", help="do not install and run the peers")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure the CPU of one process, from file to DAG on every side, and of the constructors alone."""
    with tempfile.TemporaryDirectory(prefix="windlass-benchmark-", dir="/tmp") as name:
        folder = Path(name)
        write_configs(folder / "configs", 1)
        write_python(folder / "python", 1)
        python, config = make_ours(folder / "ours"), folder / "configs" / dag_id(0) / "dag.json"
        with worker(airflow_settings(folder / "home"), python) as own:
            own.ask("build", "stub", str(config), 1)  # brings bytecode: nothing is kept of code just changed
        with worker(airflow_settings(folder / "home"), python) as own:
            ours = _builder(own, "stub", config)
            for kind, told, by_hand, goal in (
                ("stub", _WHAT, "python-file", _GOAL_PYTHON),
                ("analysed", "CPU of the constructors alone", "python", _GOAL_PYTHON),
                ("config", "the same of a config that was not checked before", "python-file", _GOAL_NEW),
            ):
                hand = _builder(own, by_hand, folder / "python" / f"{dag_id(0)}.py")
                pair = alternate(_builder(own, kind, config), hand, rounds=arguments.rounds)
                yield Row(told, Side(pair[0]), Side(pair[1]), "hand-written Python", "ms", goal)
            if arguments.no_peers:
                return
            write_dag_factory(folder / "dag-factory", 1)
            write_blueprint(folder / "blueprint", 1)
            for requirement, kind, suffix in (
                (DAG_FACTORY, "dag-factory", "yml"),
                (BLUEPRINT, "blueprint", "dag.yaml"),
            ):
                environment = make_peer(folder / f"env-{kind}", requirement)
                with worker(airflow_settings(folder / f"home-{kind}"), environment) as other:
                    peer = _builder(other, kind, folder / kind / f"{dag_id(0)}.{suffix}")
                    pair = alternate(ours, peer, rounds=arguments.rounds)
                yield Row(_WHAT, Side(pair[0]), Side(pair[1]), requirement, "ms", _GOAL_PEERS)


def _builder(process: Worker, kind: str, path: Path) -> Callable[[], float]:
    return lambda: process.ask("build", kind, str(path), _BUILDS) * 1000
