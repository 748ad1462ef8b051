"""Spark jobs, recorded before they are submitted: `ops.spark_job_submission`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import class_row

from windlass.warehouse.bookkeeping import bookkeeping_needed, require_task
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import RunContext, TaskIdentity
from windlass.warehouse.records.values import as_jsonb, as_row

__all__ = [
    "SparkSubmission",
    "SubmissionState",
    "find_submission",
    "record_submission",
    "update_submission",
]


class SubmissionState(StrEnum):
    """Where a job stands; `lost` when the cluster knows it no more."""

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    KILLED = "killed"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in _FINAL


_FINAL = {SubmissionState.SUCCEEDED, SubmissionState.FAILED, SubmissionState.KILLED, SubmissionState.LOST}


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkSubmission:
    """One job: at most one for each generation of a task instance.

    Attributes:
        submission_id: Surrogate key.
        generation: Which of the times the task's work was wanted.
        backend: Where it runs: `standalone`, `yarn`, `kubernetes`, `submit`.
        job_name: Name the cluster shows.
        state: Where it stands.
        external_id: The cluster's own id, once known.
        tracking_url: Where it can be watched.
        parameters: What was submitted, without credentials.
        metrics: What the job measured.
        message: One sentence for people, e.g. why it failed.
        submitted_at: When it was recorded.
        finished_at: When it reached its final state.
    """

    submission_id: int
    generation: int
    backend: str
    job_name: str
    state: SubmissionState
    external_id: str | None
    tracking_url: str | None
    parameters: Any
    metrics: Any
    message: str | None
    submitted_at: datetime
    finished_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", SubmissionState(self.state))


# The row of an earlier try is returned as it is: its job is adopted, not submitted a second time.
_RECORD = """
insert into ops.spark_job_submission as s (
    dag_id, run_id, task_id, map_index, try_number, max_tries, ti_id, generation, backend, job_name, state,
    parameters
)
values (
    %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s, %(try_number)s, %(max_tries)s, %(ti_id)s,
    %(generation)s, %(backend)s, %(job_name)s, 'submitting', %(parameters)s
)
on conflict on constraint spark_job_submission_identity do update
set try_number = excluded.try_number, max_tries = excluded.max_tries, ti_id = excluded.ti_id
returning s.submission_id, s.generation, s.backend, s.job_name, s.state, s.external_id, s.tracking_url,
    s.parameters, s.metrics, s.message, s.submitted_at, s.finished_at, (s.xmax = 0) as is_new
"""
_FIND = """
select submission_id, generation, backend, job_name, state, external_id, tracking_url, parameters, metrics,
    message, submitted_at, finished_at
from ops.spark_job_submission
where (dag_id, run_id, task_id, map_index) = (%(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)
    and generation = %(generation)s
"""
# What is known is not forgotten, and a final state is final.
_UPDATE = """
update ops.spark_job_submission
set state = %(state)s,
    external_id = coalesce(%(external_id)s, external_id),
    tracking_url = coalesce(%(tracking_url)s, tracking_url),
    metrics = coalesce(%(metrics)s, metrics),
    message = coalesce(%(message)s, message),
    finished_at = case when %(is_final)s then coalesce(finished_at, now()) end
where submission_id = %(submission_id)s
    and (state = %(state)s or state not in ('succeeded', 'failed', 'killed', 'lost'))
"""


def record_submission(
    connection: psycopg.Connection[Any],
    *,
    backend: str,
    job_name: str,
    context: RunContext,
    parameters: Any = None,
) -> tuple[SparkSubmission, bool]:
    """Record a job before it is submitted; find the one that an earlier try of this generation recorded.

    Args:
        connection: Connection to the warehouse.
        backend: Where it is to run.
        job_name: Name the cluster is to show.
        context: The task that submits.
        parameters: What is submitted, as JSON, without credentials.

    Returns:
        The record, and whether it is new. One that is not new may have been submitted: look for the job.

    Raises:
        FencedError: A later try of the task has taken over.
        LoadError: There is no task, or the warehouse has no bookkeeping.
    """
    require_task(context, "A Spark job's submission")
    row = {
        **context.parameters(),
        "try_number": context.try_number or 1,
        "backend": backend,
        "job_name": job_name,
        "parameters": as_jsonb(parameters),
    }
    with (
        bookkeeping_needed("recording Spark jobs"),
        writing(connection, context),
        connection.cursor() as cursor,
    ):
        *fields, is_new = cursor.execute(_RECORD, as_row(row)).fetchall()[0]
        names = [column.name for column in cursor.description or ()]
        return SparkSubmission(**dict(zip(names, fields, strict=False))), is_new


def find_submission(
    connection: psycopg.Connection[Any], identity: TaskIdentity, *, generation: int = 1
) -> SparkSubmission | None:
    """Find the job of a task instance's generation.

    Args:
        connection: Connection to the warehouse.
        identity: The task instance.
        generation: Which of the times its work was wanted.
    """
    with (
        bookkeeping_needed("finding Spark jobs"),
        connection.cursor(row_factory=class_row(SparkSubmission)) as cursor,
    ):
        return cursor.execute(_FIND, {**asdict(identity), "generation": generation}).fetchone()


def update_submission(
    connection: psycopg.Connection[Any],
    submission_id: int,
    state: SubmissionState,
    *,
    context: RunContext,
    external_id: str | None = None,
    tracking_url: str | None = None,
    metrics: Any = None,
    message: str | None = None,
) -> bool:
    """Note where a job stands. What is None stays as it was; a final state stays what it is.

    Args:
        connection: Connection to the warehouse.
        submission_id: The record.
        state: Where it stands now.
        context: The task that watches it.
        external_id: The cluster's own id.
        tracking_url: Where it can be watched.
        metrics: What the job measured, as JSON.
        message: One sentence for people.

    Returns:
        Whether it was noted; False when there is no such record or it had reached another final state.

    Raises:
        FencedError: A later try of the task has taken over.
    """
    row = {
        "submission_id": submission_id,
        "state": state,
        "is_final": state.is_final,
        "external_id": external_id,
        "tracking_url": tracking_url,
        "metrics": as_jsonb(metrics),
        "message": message,
    }
    with bookkeeping_needed("noting Spark jobs"), writing(connection, context):
        return connection.execute(_UPDATE, as_row(row)).rowcount == 1
