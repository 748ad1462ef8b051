"""Keep configs up to date in Airflow: refresh, cold parse, and how soon an edit is seen."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from harness import Row, Side, alternate
from suites._dags import (
    Worker,
    airflow_settings,
    config_bundle,
    dag_id,
    folder_bundle,
    worker,
    write_configs,
    write_python,
)

VERSIONS = ("windlass-dagfactory", "apache-airflow-core", "pydantic")

_MANY, _FEW, _PARSED = 10_000, 1_000, 20
_REFRESH, _COLD, _SEEN = 0.5, 1.1, 1.0
_PATIENCE = 600


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rounds", type=int, default=9, help="refreshes and parses (default: 9)")
    parser.add_argument("--edits", type=int, default=15, help="edits to be seen (default: 15; 0: none)")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure the CPU of a refresh and of parses in Airflow's own code, and edits in its dag processor."""
    with tempfile.TemporaryDirectory(prefix="windlass-benchmark-", dir="/tmp") as name:
        folder = Path(name)
        yield _refresh(folder, arguments.rounds)
        yield _cold_parse(folder, arguments.rounds)
        if arguments.edits:
            yield from _edits(folder, arguments.edits)


def _refresh(folder: Path, rounds: int) -> Row:
    write_configs(folder / "many", _MANY)
    settings = airflow_settings(folder / "home-many", config_bundle("many", folder / "many"))
    with worker(settings) as own:
        own.ask("refresh", "many")
        time.sleep(2.5)  # stamps younger than two seconds are not trusted
        own.ask("refresh", "many")
        costs = [own.ask("refresh", "many") for _ in range(rounds)]
    return Row.budget(f"CPU of a refresh of {_MANY:,} unchanged configs", Side(costs), _REFRESH, unit="s")


def _cold_parse(folder: Path, rounds: int) -> Row:
    """Each parse is of another file, in a new fork, as in the dag processor with what it has not seen."""
    write_configs(folder / "parsed", _PARSED)
    write_python(folder / "python", _PARSED)
    settings = [
        airflow_settings(folder / "home-parsed", config_bundle("parsed", folder / "parsed")),
        airflow_settings(folder / "home-python", folder_bundle("python", folder / "python")),
    ]
    # Two processes: what one side's files let Airflow import before it forks must not serve the other's.
    with worker(settings[0]) as own, worker(settings[1]) as other:
        own.ask("refresh", "parsed")
        numbers = count()
        ours = partial(_batch, own, "parsed", numbers, "{}/dag.json.py")
        hand = partial(_batch, other, "python", numbers, "{}.py")
        pair = alternate(ours, hand, rounds=rounds)
    what = "CPU of the first parse of a file"
    return Row(what, Side(pair[0]), Side(pair[1]), "hand-written Python", "s", _COLD)


def _batch(process: Worker, bundle: str, numbers: Iterator[int], file: str) -> float:
    """Parse five files; mean CPU seconds."""
    files = [file.format(dag_id(next(numbers) % _PARSED)) for _ in range(5)]
    return sum(process.ask("parse", bundle, name) for name in files) / len(files)


def _edits(folder: Path, edits: int) -> Iterator[Row]:
    configs, home = folder / "edited", folder / "home-edited"
    write_configs(configs, _FEW)
    settings = airflow_settings(home, config_bundle("edited", configs))
    settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{home}/airflow.db"
    with _processor(home, {**os.environ, **settings}):
        counted = partial(_scalar, home, "select count(*) from dag where not is_stale")
        begin = time.monotonic()
        _until(lambda: counted() == _FEW, "the first parse of all configs")
        first = time.monotonic() - begin
        seen = [_edit(home, configs, number) for number in range(edits)]
    print(f"The first parse of {_FEW:,} configs took {first:.0f} s.", file=sys.stderr)
    yield Row.budget(f"from an edit among {_FEW:,} configs to its DAG", Side(seen), _SEEN, unit="s")


def _edit(home: Path, configs: Path, number: int) -> float:
    """Change a config: seconds until the metadata database has the DAG that it says now."""
    path = configs / dag_id(number * 37 % _FEW) / "dag.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["description"] = f"Edit {number}."
    text = json.dumps(config, indent=2)
    time.sleep(0.3 + number * 0.37 % 1)  # at any point of the time between two refreshes
    begin = time.monotonic()
    path.write_text(text, encoding="utf-8")
    found = partial(_scalar, home, f"select count(*) from dag where description = 'Edit {number}.'")
    _until(lambda: found() == 1, f"edit {number}")
    return time.monotonic() - begin


@contextmanager
def _processor(home: Path, environment: dict[str, str]) -> Iterator[None]:
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    airflow = str(Path(sys.executable).parent / "airflow")
    with (home / "log").open("w") as log:
        subprocess.run([airflow, "db", "migrate"], env=environment, stdout=log, stderr=log, check=True)
        process = subprocess.Popen(
            [airflow, "dag-processor"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


def _until(condition: Callable[[], bool], what: str) -> None:
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > _PATIENCE:
            message = f"{what}: not within {_PATIENCE} s"
            raise TimeoutError(message)
        time.sleep(0.02)


def _scalar(home: Path, query: str) -> int:
    connection = sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True, timeout=30)
    try:
        value: int = connection.execute(query).fetchone()[0]
        return value
    finally:
        connection.close()
