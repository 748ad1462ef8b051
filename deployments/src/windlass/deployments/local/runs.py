"""Starts a DAG run and reads from Airflow's metadata database how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.errors import ParseImportError
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import or_, select, update

from windlass.deployments.local.messages import (
    DagReady,
    Event,
    ImportFailed,
    Run,
    RunFinished,
    TaskChanged,
    TaskOutcome,
)

__all__ = ["give_up_unfinished", "run"]

_FINISHED = {"success", "failed"}
_RUN_ID_PREFIX = "demo__"
_IMPORT_GRACE = 3.0
"""Seconds that the DAG may stay away after some file's import error: its own may still be in the queue."""


def run(order: Run, *, since: datetime, task_logs: Path, wait: Callable[[], None]) -> Iterator[Event]:
    """Trigger the DAG once it is parsed, and follow the run to its end.

    Args:
        order: Which DAG, and how many seconds all of it may take.
        since: Parses older than this moment do not count.
        task_logs: Airflow's folder of task logs.
        wait: Called between two looks at the database.
    """
    deadline = time.monotonic() + order.timeout
    errors = _await_dag(order.dag_id, since, deadline, wait)
    if errors is not None:
        yield ImportFailed(errors=errors)
        return
    began = time.monotonic()
    run_id, tasks = _trigger(order.dag_id)
    yield DagReady(dag_id=order.dag_id, run_id=run_id, tasks=tasks)
    seen: dict[tuple[str, int], str] = {}
    while (state := _run_state(order.dag_id, run_id)) not in _FINISHED:
        yield from _changes(order.dag_id, run_id, seen)
        if time.monotonic() > deadline:
            state = "timed_out"
            break
        wait()
    yield from _changes(order.dag_id, run_id, seen)
    yield RunFinished(
        state=str(state),
        seconds=round(time.monotonic() - began, 2),
        tasks=_outcomes(order.dag_id, run_id, task_logs),
    )


def give_up_unfinished() -> None:
    """Mark the demo runs failed that a stopped or killed command left unfinished, and hold all schedules.

    Nobody waits for those runs any more, and the scheduler would run them again beside the new one; so it
    would a run that is due by the DAG's schedule.
    """
    unfinished = select(DagRun.dag_id, DagRun.run_id).where(
        DagRun.run_id.startswith(_RUN_ID_PREFIX), DagRun.state.not_in(_FINISHED)
    )
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=True))
        for dag_id, run_id in session.execute(unfinished).all():
            session.execute(
                update(TaskInstance)
                .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
                .where(or_(TaskInstance.state.is_(None), TaskInstance.state.not_in(State.finished)))
                .values(state=TaskInstanceState.FAILED, end_date=datetime.now(UTC))
            )
            session.execute(
                update(DagRun)
                .where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
                .values(state=DagRunState.FAILED, end_date=datetime.now(UTC))
            )


def _await_dag(
    dag_id: str, since: datetime, deadline: float, wait: Callable[[], None]
) -> dict[str, str] | None:
    first_error: float | None = None
    errors: dict[str, str] = {}
    while time.monotonic() < deadline:
        with create_session() as session:
            model = session.get(DagModel, dag_id)
            if model and not model.is_stale and model.last_parsed_time and model.last_parsed_time >= since:
                return None
            rows = session.execute(
                select(ParseImportError.filename, ParseImportError.stacktrace).where(
                    ParseImportError.timestamp >= since
                )
            )
            errors = {str(filename): str(trace) for filename, trace in rows}
        if errors:
            first_error = first_error or time.monotonic()
            if time.monotonic() - first_error > _IMPORT_GRACE:
                return errors
        wait()
    return errors or {dag_id: "Airflow's DAG processor did not report this DAG in time."}


def _trigger(dag_id: str) -> tuple[str, list[str]]:
    run_id = f"{_RUN_ID_PREFIX}{datetime.now(UTC).isoformat(timespec='milliseconds')}"
    with create_session() as session:
        model = session.get(DagModel, dag_id)
        if model is not None:
            model.is_paused = False
            # No run by schedule beside the demo's own, until the file is parsed again in ten minutes.
            model.next_dagrun_create_after = None
    trigger_dag(
        dag_id,
        run_id=run_id,
        triggered_by=DagRunTriggeredByType.CLI,
        # As the UI does: what waits for another DAG finds its run by this.
        logical_date=datetime.now(UTC),
    )
    return run_id, [task_id for task_id, *_ in _instances(dag_id, run_id)]


def _run_state(dag_id: str, run_id: str) -> str | None:
    with create_session() as session:
        return session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))


def _instances(
    dag_id: str, run_id: str
) -> list[tuple[str, int, str | None, datetime | None, float | None, int]]:
    columns = (
        TaskInstance.task_id,
        TaskInstance.map_index,
        TaskInstance.state,
        TaskInstance.start_date,
        TaskInstance.duration,
        TaskInstance.try_number,
    )
    with create_session() as session:
        query = select(*columns).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        rows = [row.tuple() for row in session.execute(query)]
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(rows, key=lambda row: (row[3] or never, row[0], row[1]))


def _changes(dag_id: str, run_id: str, seen: dict[tuple[str, int], str]) -> Iterator[TaskChanged]:
    for task_id, map_index, state, _, seconds, _ in _instances(dag_id, run_id):
        if state is None or seen.get((task_id, map_index)) == state:
            continue
        seen[task_id, map_index] = state
        name = task_id if map_index < 0 else f"{task_id}[{map_index}]"
        yield TaskChanged(task_id=name, state=state, seconds=seconds)


def _outcomes(dag_id: str, run_id: str, task_logs: Path) -> list[TaskOutcome]:
    results = _results(dag_id, run_id)
    outcomes = []
    for task_id, map_index, state, _, seconds, tries in _instances(dag_id, run_id):
        folder = task_logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        if map_index >= 0:
            folder /= f"map_index={map_index}"
        log = folder / f"attempt={tries}.log"
        outcomes.append(
            TaskOutcome(
                task_id=task_id,
                map_index=map_index,
                state=state or "none",
                seconds=None if seconds is None else round(seconds, 2),
                tries=tries,
                log=str(log) if log.exists() else None,
                result=results.get((task_id, map_index)),
            )
        )
    return outcomes


def _results(dag_id: str, run_id: str) -> dict[tuple[str, int], Any]:
    with create_session() as session:
        query = select(XComModel).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "return_value"
        )
        return {
            (row.task_id, row.map_index): XComModel.deserialize_value(row) for row in session.scalars(query)
        }
