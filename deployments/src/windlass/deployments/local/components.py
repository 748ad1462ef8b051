"""Forks Airflow's services from one process that has imported Airflow once.

Importing Airflow costs 1.4 CPU-seconds in each process, its API 3 more: four services on two cores would
spend most of their start on it. A fork of a warm parent starts in milliseconds and shares its memory.
See docs/decisions/0006-warm-fork.md.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from setproctitle import setproctitle

__all__ = ["COMPONENTS", "Component", "adopt_orphans", "fork", "kill_strays", "preload", "preload_libraries"]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_LIBRARIES = (
    "alembic.config",
    "asyncpg",
    "cadwyn",
    "fastapi",
    "httpx",
    "jinja2",
    "psycopg",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
    "structlog",
    "uvicorn",
)
_AIRFLOW = (
    "airflow.settings",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.execution_api.app",
    "airflow.cli.cli_parser",
    "airflow.dag_processing.manager",
    "airflow.dag_processing.processor",
    "airflow.executors.local_executor",
    "airflow.jobs.dag_processor_job_runner",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.utils.db",
)


@dataclass
class Component:
    """One service: its name, the ``airflow`` subcommand it runs, and the process it runs in."""

    name: str
    arguments: tuple[str, ...]
    job_type: str | None = None
    pid: int = 0
    deaths: list[str] = field(default_factory=list)


COMPONENTS = (
    Component("api-server", ("api-server",)),
    Component("dag-processor", ("dag-processor",), "DagProcessorJob"),
    Component("scheduler", ("scheduler", "--skip-serve-logs"), "SchedulerJob"),
    Component("triggerer", ("triggerer", "--skip-serve-logs"), "TriggererJob"),
)


def preload_libraries() -> None:
    """Import what Airflow's services need and what reads none of Airflow's configuration."""
    for name in _LIBRARIES:
        importlib.import_module(name)


def preload() -> None:
    """Import Airflow; its configuration has to be complete by now."""
    for name in _AIRFLOW:
        importlib.import_module(name)


def adopt_orphans() -> None:
    """Become the parent of what a dying service leaves behind, so that it can be found and ended (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def fork(component: Component, *, log: Path) -> None:
    """Start `component` in a child of this process, its output appended to `log`."""
    gc.freeze()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        gc.unfreeze()
        component.pid = pid
        return
    status = 1
    try:
        setproctitle(f"windlass local: {component.name}")
        _detach(log, parent)
        status = _run(component.arguments)
    except BaseException:  # noqa: BLE001 - the last frame of a forked child: its report, then its exit
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def kill_strays(known: set[int]) -> int:
    """End the children of this process that are none of the `known` services, with all their descendants.

    They are what a killed scheduler leaves: executor workers and the tasks in them. Its successor starts the
    tasks again, and two copies must not overlap.

    Returns:
        How many processes were killed.
    """
    strays = [child for child in psutil.Process().children() if child.pid not in known]
    family = [member for stray in strays for member in (*stray.children(recursive=True), stray)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=5)
    return len(family)


def _run(arguments: tuple[str, ...]) -> int:
    from airflow.cli.cli_parser import get_parser

    sys.argv = ["airflow", *arguments]
    parsed = get_parser().parse_args(list(arguments))
    try:
        parsed.func(parsed)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _detach(log: Path, parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent died before the call above took effect
        os._exit(1)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 256)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
