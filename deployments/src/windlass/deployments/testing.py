"""For tests: runs the local stack's command as a user would, in a state folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from windlass.deployments.local.layout import Layout
from windlass.deployments.services.processes import marked

__all__ = ["Api", "Config", "Finished", "Stack", "wait_until"]

_BASH = "airflow.providers.standard.operators.bash.BashOperator"


def wait_until(condition: Callable[[], object], seconds: float = 150) -> None:
    """Poll `condition` until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain")
        time.sleep(0.02)


@dataclass(frozen=True)
class Finished:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON object on the last line of standard output."""
        return dict(json.loads(self.out.splitlines()[-1]))


@dataclass
class Stack:
    """One state folder and the commands run on it."""

    state: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        """The state folder's paths."""
        return Layout(self.state)

    def start(self, verb: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in its own process group, as a shell does."""
        process = subprocess.Popen(
            [sys.executable, "-m", "windlass.deployments.local", verb, *arguments],
            env={
                **os.environ,
                "WINDLASS_STATE_DIR": str(self.state),
                "WINDLASS_SCALE": "0.01",
                **self.environment,
            },
            cwd=self.folder or self.state.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.started.append(process)
        return process

    def await_file(self, path: Path, process: subprocess.Popen[str]) -> None:
        """Wait until `path` is there, or say how the command that was to make it ended."""
        wait_until(lambda: path.exists() or process.poll() is not None)
        if not path.exists():
            raise AssertionError(self.finish(process).err)

    def clear(self) -> None:
        """End the commands that a failed test left at work."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.started.clear()

    def finish(self, process: subprocess.Popen[str]) -> Finished:
        """Wait for a command's end."""
        out, err = process.communicate(timeout=240)
        self.started.remove(process)
        return Finished(process.returncode, out, err)

    def run(self, verb: str, *arguments: str) -> Finished:
        """Run a command to its end."""
        return self.finish(self.start(verb, *arguments))

    def processes(self) -> list[psutil.Process]:
        """Every live process of the stack other than Postgres."""
        return marked(self.layout.stack_id())

    def kill(self, title: str) -> None:
        """End the stack's process with `title` in its command line at once, as the kernel would."""
        (process,) = [one for one in self.processes() if any(title in word for word in one.cmdline())]
        process.send_signal(signal.SIGKILL)


@dataclass(frozen=True)
class Api:
    """Airflow's public API, as a user's own program speaks with it."""

    client: httpx.Client

    @classmethod
    @contextmanager
    def of(cls, said: str) -> Iterator[Self]:
        """Log in with what a command that left a stack running has said."""
        url = said.partition("Airflow: ")[2].split()[0]
        password = said.partition("password ")[2].split()[0]
        with httpx.Client(base_url=url, timeout=30) as client:
            answer = client.post("/auth/token", json={"username": "admin", "password": password})
            token = answer.raise_for_status().json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            yield cls(client)

    def trigger(
        self,
        dag_id: str,
        run_id: str,
        *,
        logical_date: str | None = None,
        conf: dict[str, Any] | None = None,
    ) -> None:
        """Have a DAG run, paused or not."""
        self._call("PATCH", f"/dags/{dag_id}", {"is_paused": False})
        wanted = {"dag_run_id": run_id, "logical_date": logical_date, "conf": conf or {}}
        self._call("POST", f"/dags/{dag_id}/dagRuns", wanted)

    def run_ids(self, dag_id: str) -> list[str]:
        """The DAG's runs."""
        return [run["dag_run_id"] for run in self._call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]]

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a DAG run."""
        return str(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """State of every task of a DAG run."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return {each["task_id"]: each["state"] for each in found["task_instances"]}

    def result(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """What a task returned."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        value = self._call("GET", path)["value"]
        return dict(json.loads(value) if isinstance(value, str) else value)

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task instance, whatever its state."""
        wanted = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._call("POST", f"/dags/{dag_id}/clearTaskInstances", wanted)

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a DAG run."""
        self._call("DELETE", f"/dags/{dag_id}/dagRuns/{run_id}")

    def _call(self, method: str, path: str, content: Any = None) -> dict[str, Any]:
        answer = self.client.request(method, f"/api/v2{path}", json=content)
        if answer.is_error:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return dict(answer.json()) if answer.content else {}


@dataclass
class Config:
    """A user's folder with one DAG of shell commands."""

    folder: Path

    def write(self, **commands: str) -> str:
        """Write a DAG whose tasks run `commands` one after the other.

        Returns:
            The folder, as an argument for the command line.
        """
        tasks: dict[str, Any] = {}
        for name, command in commands.items():
            tasks[name] = {"operator": _BASH, "args": {"bash_command": command}}
            if len(tasks) > 1:
                tasks[name]["depends_on"] = [list(tasks)[-2]]
        home = self.folder / "shop_trial_v1"
        home.mkdir(parents=True, exist_ok=True)
        config = {
            "schema_version": 1,
            "dag_id": "shop_trial_v1",
            "schedule": None,
            "start_date": "2026-01-01",
            "tasks": tasks,
        }
        (home / "dag.json").write_text(json.dumps(config, indent=2))
        return str(self.folder)
