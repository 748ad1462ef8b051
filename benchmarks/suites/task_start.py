"""Get one DAG of thousands as a task start does: beside one hand-written file and dag-factory."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import Row, Side, alternate
from suites._dags import (
    DAG_FACTORY,
    Worker,
    airflow_settings,
    config_bundle,
    dag_id,
    folder_bundle,
    make_ours,
    make_peer,
    worker,
    write_configs,
    write_dag_factory,
    write_python,
)

VERSIONS = ("windlass-dagfactory", "apache-airflow-core", "pydantic")

_ABOVE = 0.05
_FLAT = 1.1
_GOAL_PEER = 0.05
_FEW, _MANY = 1_000, 10_000


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rounds", type=int, default=15, help="task starts of each side (default: 15)")
    parser.add_argument("--no-peers", action="store_true", help="do not install and run dag-factory")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure the CPU of a process forked as a worker forks for a task: bundle, imports and parse."""
    with tempfile.TemporaryDirectory(prefix="windlass-benchmark-", dir="/tmp") as name:
        folder = Path(name)
        write_python(folder / "python", 1)
        python = make_ours(folder / "ours")
        few_settings = _set_up(folder, python, "few", _FEW)
        many_settings = _set_up(folder, python, "many", _MANY)
        # Airflow imports the class of every bundle set up: the hand-written file has an Airflow of its own.
        alone = airflow_settings(folder / "home-python", folder_bundle("python", folder / "python"))
        with (
            worker(few_settings, python) as one,
            worker(many_settings, python) as another,
            worker(alone, python) as other,
        ):
            few = _start(one, "few", f"{dag_id(7)}/dag.json.py", 7)
            many = _start(another, "many", f"{dag_id(7)}/dag.json.py", 7)
            hand = _start(other, "python", f"{dag_id(0)}.py", 0)
            ours, floor = alternate(few, hand, rounds=arguments.rounds)
            above = Side([cost - least for cost, least in zip(ours, floor, strict=True)])
            yield Row.budget(
                f"CPU above a hand-written file, among {_FEW:,} configs", above, _ABOVE, unit="s"
            )
            far, near = alternate(many, few, rounds=arguments.rounds)
            what = f"CPU of a task start among {_MANY:,} configs"
            yield Row(what, Side(far), Side(near), f"the same among {_FEW:,}", "s", _FLAT)
            if not arguments.no_peers:
                yield from _beside_dag_factory(folder, few, arguments.rounds)


def _set_up(folder: Path, python: str, name: str, count: int) -> dict[str, str]:
    """Write configs and have their stubs written, by a process whose imports are no part of a task start."""
    write_configs(folder / name, count)
    settings = airflow_settings(folder / f"home-{name}", config_bundle(name, folder / name))
    with worker(settings, python) as filler:
        filler.ask("refresh", name)
    return settings


def _beside_dag_factory(folder: Path, ours: Callable[[], float], rounds: int) -> Iterator[Row]:
    dags = folder / "dag-factory"
    write_dag_factory(dags, _FEW)
    python = make_peer(folder / "environment", DAG_FACTORY)
    settings = airflow_settings(folder / "home-peer", folder_bundle("yaml", dags))
    with worker(settings, python) as other:
        peer = _start(other, "yaml", "loader.py", 7)
        costs = alternate(ours, peer, rounds=min(rounds, 3), warm_up=False)
    what = f"CPU of a task start among {_FEW:,} configs"
    yield Row(what, Side(costs[0]), Side(costs[1]), DAG_FACTORY, "s", _GOAL_PEER)


def _start(process: Worker, bundle: str, file: str, number: int) -> Callable[[], float]:
    return lambda: process.ask("task_start", bundle, file, dag_id(number))
