"""The same DAGs as configs, hand-written Python and the peers' YAML; and a process that builds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import peer_environment

__all__ = [
    "BLUEPRINT",
    "DAG_FACTORY",
    "Worker",
    "airflow_settings",
    "config_bundle",
    "dag_id",
    "folder_bundle",
    "make_ours",
    "make_peer",
    "worker",
    "write_blueprint",
    "write_configs",
    "write_dag_factory",
    "write_python",
]

DAG_FACTORY = "dag-factory==1.1.0"
BLUEPRINT = "airflow-blueprint==0.5.0"
_AIRFLOW = ("apache-airflow-core==3.3.2", "apache-airflow-task-sdk==1.3.2")
_STANDARD = "apache-airflow-providers-standard==1.21.0"
_TASKS = 10
_BASH = "airflow.providers.standard.operators.bash.BashOperator"
_SCRIPT = Path(__file__).with_name("_dag_worker.py")


def dag_id(number: int) -> str:
    """The name of the DAG with a number."""
    return f"bench_d{number}_v1"


def write_configs(folder: Path, count: int) -> None:
    """Write configs of ten tasks, one folder a DAG."""
    for number in range(count):
        tasks: dict[str, Any] = {}
        for task in range(_TASKS):
            tasks[f"t{task}"] = {"operator": _BASH, "args": {"bash_command": f"echo {number} {task}"}}
            if task:
                tasks[f"t{task}"]["depends_on"] = [f"t{task - 1}"]
        config = {
            "dag_id": dag_id(number),
            "description": f"Benchmark {number}.",
            "schedule": "0 5 * * *",
            "timezone": "UTC",
            "start_date": "2026-01-01",
            "tags": ["bench"],
            "owner": "team",
            "doc_md": "A benchmark.",
            "defaults": {"timeout": "10m", "retry": {"attempts": 3, "delay": "5m"}},
            "tasks": tasks,
        }
        path = folder / dag_id(number) / "dag.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def write_python(folder: Path, count: int) -> None:
    """Write the same DAGs as somebody would by hand, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{dag_id(number)}.py").write_text(_python(number), encoding="utf-8")


def _python(number: int) -> str:
    lines = [
        "from datetime import timedelta",
        "import pendulum",
        "from airflow.providers.standard.operators.bash import BashOperator",
        "from airflow.sdk import DAG",
        "",
        "def build():",
        f"    dag = DAG({dag_id(number)!r}, description='Benchmark {number}.', schedule='0 5 * * *',",
        "        start_date=pendulum.datetime(2026, 1, 1, tz='UTC'), catchup=False, tags=['bench'],",
        "        doc_md='A benchmark.')",
        "    with dag:",
    ]
    settings = (
        "owner='team', retries=2, retry_delay=timedelta(minutes=5), execution_timeout=timedelta(minutes=10)"
    )
    for task in range(_TASKS):
        command = f"echo {number} {task}"
        lines += [f"        t{task} = BashOperator(task_id='t{task}', bash_command={command!r}, {settings})"]
    chain = " >> ".join(f"t{task}" for task in range(_TASKS))
    return "\n".join([*lines, f"        {chain}", "    return dag", "", "dag = build()", ""])


def write_dag_factory(folder: Path, count: int) -> None:
    """Write the same DAGs for dag-factory: a YAML file each, and the one loader that its guide shows."""
    folder.mkdir(parents=True)
    for number in range(count):
        lines = [
            f"{dag_id(number)}:",
            f"  description: Benchmark {number}.",
            "  schedule: '0 5 * * *'",
            "  start_date: 2026-01-01",
            "  catchup: false",
            "  tags: [bench]",
            "  doc_md: A benchmark.",
            "  default_args:",
            "    owner: team",
            "    retries: 2",
            "    retry_delay_sec: 300",
            "    execution_timeout_secs: 600",
            "  tasks:",
        ]
        for task in range(_TASKS):
            lines += [
                f"  - task_id: t{task}",
                f"    operator: {_BASH}",
                f"    bash_command: echo {number} {task}",
                f"    dependencies: [{f't{task - 1}' if task else ''}]",
            ]
        (folder / f"{dag_id(number)}.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    loader = (
        "from airflow.sdk import DAG  # the words that Airflow looks for\n"
        "from dagfactory import load_yaml_dags\n"
        f"load_yaml_dags(globals(), dags_folder={str(folder)!r})\n"
    )
    (folder / "loader.py").write_text(loader, encoding="utf-8")


def write_blueprint(folder: Path, count: int) -> None:
    """Write the same DAGs for blueprint: a YAML file each, over one template in Python."""
    folder.mkdir(parents=True)
    for number in range(count):
        lines = [
            f"dag_id: {dag_id(number)}",
            f"description: Benchmark {number}.",
            "schedule: '0 5 * * *'",
            "steps:",
        ]
        for task in range(_TASKS):
            lines += [f"  t{task}:", "    blueprint: shell", f"    command: echo {number} {task}"]
            lines += [f"    depends_on: [t{task - 1}]"] if task else []
        (folder / f"{dag_id(number)}.dag.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "templates.py").write_text(_TEMPLATES, encoding="utf-8")


_TEMPLATES = """
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from blueprint import BaseModel, Blueprint, BlueprintDagArgs


class ShellConfig(BaseModel):
    command: str


class Shell(Blueprint[ShellConfig]):
    def render(self, config):
        return BashOperator(task_id=self.step_id, bash_command=config.command)


class ArgsConfig(BaseModel):
    description: str
    schedule: str


class Args(BlueprintDagArgs[ArgsConfig]):
    def render(self, config):
        return {
            "description": config.description,
            "schedule": config.schedule,
            "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"),
            "catchup": False,
            "tags": ["bench"],
            "doc_md": "A benchmark.",
            "default_args": {
                "owner": "team",
                "retries": 2,
                "retry_delay": timedelta(minutes=5),
                "execution_timeout": timedelta(minutes=10),
            },
        }
"""


def make_peer(folder: Path, requirement: str) -> str:
    """Make an environment with a peer and the same Airflow as ours; return its Python."""
    return str(peer_environment(folder, requirement, *_AIRFLOW, _STANDARD) / "python")


def make_ours(folder: Path) -> str:
    """Make an environment with our packages installed as users install them, not run from a checkout.

    Code that can be edited is looked at before each use of what was made by it; that is no part of what is
    measured.
    """
    wheels = folder / "wheels"
    build = ["uv", "build", "--quiet", "--wheel", "--package", "windlass-dagfactory"]
    subprocess.run([*build, "--out-dir", str(wheels)], check=True, cwd=_SCRIPT.parents[2])
    requirements = map(str, wheels.glob("*.whl"))
    return str(peer_environment(folder / "environment", *requirements, *_AIRFLOW, _STANDARD) / "python")


def config_bundle(name: str, configs: Path, **kwargs: Any) -> dict[str, Any]:
    """Airflow's entry for a folder of configs."""
    return {
        "name": name,
        "classpath": "windlass.dagfactory.bundle.ConfigDagBundle",
        "kwargs": {"configs": str(configs), **kwargs},
    }


def folder_bundle(name: str, folder: Path) -> dict[str, Any]:
    """Airflow's entry for a folder of Python files."""
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": classpath, "kwargs": {"path": str(folder)}}


def airflow_settings(home: Path, *bundles: Mapping[str, Any]) -> dict[str, str]:
    """An Airflow of its own with some bundles, set up as the README says."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__FILE_PARSING_SORT_MODE": "modified_time",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "DO_NOT_TRACK": "1",
    }


class Worker:
    """A process that builds or parses when asked to, and tells what it cost."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, verb: str, *arguments: str | int) -> float:
        """Have it do something; return the CPU seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            message = f"the process that was to {verb} has ended; its errors stand above"
            raise RuntimeError(message)
        return float(answer)


@contextmanager
def worker(settings: Mapping[str, str], python: str = sys.executable) -> Iterator[Worker]:
    """Start a worker, with an Airflow of its own."""
    environment = {**os.environ, **settings}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(
        [python, str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.wait()
