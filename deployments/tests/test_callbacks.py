"""What Airflow really calls when a task ends in this way or that, and the page that says so.

All cases run at once on one stack; the table in the page is what they are held to.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from windlass.deployments.settings import project_root
from windlass.deployments.testing import Api, Stack, wait_until

PAGE = project_root(Path(__file__).parent) / "docs" / "retry-and-failure.md"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(not PAGE.is_file(), reason="the pages are in the source tree, not in the wheel"),
]

RUN = "manual__once"
ENDED = {"success", "failed"}

MODULE = '''
"""Operators that end in many ways, and callbacks that note in a file that they were called."""

import os
import signal
from datetime import timedelta

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseNotifier, BaseOperator, BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from windlass.dagfactory.policies import subject_of


def note(what, subject):
    line = f"{subject.dag_id}\\t{subject.task_id or ''}\\t{what}\\t{subject.reason or ''}\\n"
    with open(os.environ["NOTED"], "a") as file:
        file.write(line)


class Noted(BaseNotifier):
    def __init__(self, what: str):
        super().__init__()
        self.what = what

    def notify(self, context):
        note(self.what, subject_of(context))


class Undo(BaseOperator):
    def execute(self, context):
        note("compensate", context["failure"])


class Ends(BaseOperator):
    def __init__(self, *, how: str, only_once: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.how = how
        self.only_once = only_once

    def execute(self, context, event=None):
        if self.only_once and context["ti"].try_number > 1:
            return
        getattr(self, self.how)()

    def succeeds(self):
        pass

    def fails(self):
        raise ValueError("as it should")

    def fails_for_good(self):
        raise AirflowFailException("as it should")

    def skips(self):
        raise AirflowSkipException("as it should")

    def is_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def lasts(self):
        while True:
            signal.pause()

    def lasts_until_a_signal(self):
        signal.pause()

    def defers(self):
        self.defer(trigger=TimeDeltaTrigger(timedelta(minutes=10)), method_name="execute")

    def defers_by_itself(self):
        raise TaskDeferred(trigger=TimeDeltaTrigger(timedelta(minutes=10)), method_name="execute")

    def defers_again_and_again(self):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=6)), method_name="execute")


class Never(BaseSensorOperator):
    def poke(self, context):
        return False
'''

ENDS = "callback_cases.Ends"
LIMIT = {"timeout": "4s"}
AGAIN = {"retry": {"attempts": 2, "delay": "0s"}}


def ends(how: str, **args: Any) -> dict[str, Any]:
    return {"operator": ENDS, "args": {"how": how, **args}}


@dataclass(frozen=True)
class Case:
    """A DAG of one task, and what a user does to it."""

    task: dict[str, Any]
    settings: dict[str, Any] | None = None
    marked: str | None = None


# By the page's words for it. What comes back to a worker does so only after some seconds: a busy scheduler
# that queues a task again before it hears how its last leg ended takes that end for the new one's, and fails
# the task. A run lasts for longer than it takes to start all of these at once.
CASES = {
    "succeeds": Case(ends("succeeds")),
    "skips itself": Case(ends("skips")),
    "raises, no retries left": Case(ends("fails")),
    "raises, retries left, then succeeds": Case({**ends("fails", only_once=True), **AGAIN}),
    "raises `AirflowFailException`": Case({**ends("fails_for_good"), **AGAIN}),
    "time-out while it runs": Case({**ends("lasts"), **LIMIT}),
    "time-out while deferred": Case({**ends("defers"), **LIMIT}),
    "time-out of one that raises `TaskDeferred` itself": Case({**ends("defers_by_itself"), **LIMIT}),
    "time-out over many deferrals": Case({**ends("defers_again_and_again"), "timeout": "8s"}),
    "time-out while it waits for a run that it triggered": Case(
        {
            "operator": "airflow.trigger_dag",
            "args": {
                "trigger_dag_id": "callbacks_awaited_run_v1",
                "wait_for_completion": True,
                "deferrable": True,
            },
            **LIMIT,
        }
    ),
    "time-out of a sensor in reschedule mode": Case(
        {"operator": "callback_cases.Never", "args": {"mode": "reschedule", "poke_interval": 12}, **LIMIT}
    ),
    "task process killed (`kill -9`)": Case(ends("is_killed")),
    "task process killed, retries left, then succeeds": Case({**ends("is_killed", only_once=True), **AGAIN}),
    "task process killed at each of two tries": Case({**ends("is_killed"), **AGAIN}),
    "user marks the running task failed": Case(ends("lasts"), marked="task"),
    "user marks the running task failed, and it finishes": Case(ends("lasts_until_a_signal"), marked="task"),
    "user marks the deferred task failed": Case(ends("defers"), marked="task"),
    "user marks the run failed": Case(ends("lasts"), marked="run"),
    "`dagrun_timeout`, task running": Case(ends("lasts"), {"dagrun_timeout": "15s"}),
    "`dagrun_timeout`, task deferred": Case(ends("defers"), {"dagrun_timeout": "15s"}),
}
DAG_IDS = {what: f"callbacks_case{number}_run_v1" for number, what in enumerate(CASES)}
TASK_EVENTS = ("on_execute", "on_retry", "on_failure", "on_success", "on_skipped")


def config(dag_id: str, case: Case) -> dict[str, Any]:
    noted = {name: [{"notifier": "callback_cases.Noted", "args": {"what": name}}] for name in TASK_EVENTS}
    undo = {"operator": "callback_cases.Undo", "args": {}}
    return {
        "dag_id": dag_id,
        "schedule": None,
        "start_date": "2026-01-01",
        "notify": {name: noted[name] for name in ("on_failure", "on_success")},
        "compensate": undo,
        "tasks": {"work": {**case.task, "notify": noted, "compensate": undo}},
        **(case.settings or {}),
    }


@dataclass(frozen=True)
class Seen:
    """How a case ended."""

    task: str
    run: str
    task_calls: list[str]
    run_calls: list[str]
    reasons: set[str]
    seconds: float
    log: str


class Expected:
    """The page's table."""

    def __init__(self) -> None:
        section = PAGE.read_text().partition("## What each callback covers")[2]
        cells = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines()
            if line.startswith("| ")
        ]
        self.header, self.rows = cells[0], {row[0]: row[1:] for row in cells[1:]}

    def of(self, what: str) -> tuple[str, str, list[str], list[str]]:
        task, run, task_calls, run_calls = self.rows[what]
        return task, run, calls(task_calls), calls(run_calls)


def calls(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


class Notes:
    """What was called, in its order."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def of(self, dag_id: str, task_id: str) -> list[str]:
        rows = [line.split("\t") for line in self.file.read_text().splitlines()]
        found = []
        for dag, task, what, _ in rows:
            # A task that resumes begins anew.
            if (dag, task) == (dag_id, task_id) and found[-1:] != [what]:
                found.append(what)
        return found

    def reasons(self, dag_id: str) -> set[str]:
        rows = [line.split("\t") for line in self.file.read_text().splitlines()]
        return {reason for dag, task, _, reason in rows if (dag, task) == (dag_id, "")}


@pytest.fixture(scope="module")
def seen(_module_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    """All cases, run at once."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "callback_cases.py").write_text(MODULE)
    notes = Notes(folder / "noted")
    notes.file.touch()
    configs = folder / "configs"
    dags = {dag_id: CASES[what] for what, dag_id in DAG_IDS.items()}
    dags["callbacks_awaited_run_v1"] = Case(ends("defers"))
    for dag_id, case in dags.items():
        (configs / dag_id).mkdir(parents=True)
        (configs / dag_id / "dag.json").write_text(json.dumps(config(dag_id, case)))
    stack = _module_stack
    stack.environment |= {"PYTHONPATH": str(folder), "NOTED": str(notes.file), "WINDLASS_PARALLELISM": "24"}
    done = stack.run("demo", "--config", str(configs), "--dag-id", DAG_IDS["succeeds"], "--keep")
    assert done.code == 0, done.out + done.err
    with Api.of(done.out) as airflow:
        yield run_all(airflow, notes, stack)


def run_all(airflow: Api, notes: Notes, stack: Stack) -> dict[str, Seen]:
    notes.file.write_text("")
    airflow.client.patch("/api/v2/dags/callbacks_awaited_run_v1", json={"is_paused": False})
    begun, ended = {}, {}
    for dag_id in DAG_IDS.values():
        airflow.trigger(dag_id, RUN)
        begun[dag_id] = time.monotonic()
    marked = {dag_id: CASES[what] for what, dag_id in DAG_IDS.items() if CASES[what].marked}

    def all_ended() -> bool:
        for dag_id, case in list(marked.items()):
            state = airflow.task_states(dag_id, RUN)["work"]
            if state == ("deferred" if case.task == ends("defers") else "running") and notes.of(
                dag_id, "work"
            ):
                mark_failed(airflow, dag_id, str(case.marked))
                del marked[dag_id]
        for dag_id in set(DAG_IDS.values()) - set(ended):
            if airflow.run_state(dag_id, RUN) in ENDED:
                ended[dag_id] = time.monotonic()
        return len(ended) == len(DAG_IDS)

    wait_until(all_ended, 90)
    expected = Expected()

    def all_called() -> bool:
        """The dag processor calls back after a run has ended."""
        return all(set(notes.of(dag_id, "")) >= set(expected.of(what)[3]) for what, dag_id in DAG_IDS.items())

    with suppress(TimeoutError):  # the cases tell what is missing
        wait_until(all_called, 30)
    return {
        what: result(airflow, notes, stack, dag_id, ended[dag_id] - begun[dag_id])
        for what, dag_id in DAG_IDS.items()
    }


def mark_failed(airflow: Api, dag_id: str, what: str) -> None:
    path = f"/api/v2/dags/{dag_id}/dagRuns/{RUN}"
    if what == "task":
        answer = airflow.client.patch(f"{path}/taskInstances/work", json={"new_state": "failed"})
    else:
        answer = airflow.client.patch(path, json={"state": "failed"})
    answer.raise_for_status()


def result(airflow: Api, notes: Notes, stack: Stack, dag_id: str, seconds: float) -> Seen:
    logs = stack.layout.task_logs.glob(f"dag_id={dag_id}/**/*.log")
    return Seen(
        airflow.task_states(dag_id, RUN)["work"],
        airflow.run_state(dag_id, RUN),
        notes.of(dag_id, "work"),
        notes.of(dag_id, ""),
        notes.reasons(dag_id),
        seconds,
        "".join(log.read_text() for log in logs),
    )


@pytest.mark.parametrize("what", CASES)
def test_what_is_called_is_what_the_page_says(seen: dict[str, Seen], what: str) -> None:
    found = seen[what]
    assert (found.task, found.run, found.task_calls, found.run_calls) == Expected().of(what)


@pytest.mark.parametrize("what", [what for what in CASES if what.startswith("time-out")])
def test_a_time_out_holds_whatever_the_task_does_and_says_so(seen: dict[str, Seen], what: str) -> None:
    """4 s; up to 15 s until the scheduler looks at deferrals; a start of the task before and after that."""
    found = seen[what]
    assert 4 <= found.seconds < 60
    assert "AirflowTaskTimeout" in found.log


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("succeeds", "success"),
        ("raises, no retries left", "task_failure"),
        ("time-out while deferred", "task_failure"),
        ("`dagrun_timeout`, task running", "timed_out"),
        ("`dagrun_timeout`, task deferred", "timed_out"),
    ],
)
def test_a_run_is_told_why_it_has_ended(seen: dict[str, Seen], what: str, reason: str) -> None:
    assert seen[what].reasons == {reason}


def test_the_page_tells_of_nothing_else() -> None:
    assert set(Expected().rows) - set(CASES) <= {"supervisor killed: heartbeat lost"}
