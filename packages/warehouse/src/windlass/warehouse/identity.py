"""Who is at work: the task instance behind a bookkeeping row, a bound parameter or a fence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

__all__ = ["NO_TASK", "RunContext", "TaskIdentity"]


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """A task instance, whatever its tries and clears: the key of what is recorded about it.

    Attributes:
        dag_id: DAG of the task.
        run_id: DAG run. A run that is deleted and recreated has the same.
        task_id: Task.
        map_index: Index of the mapped task instance, -1 when the task is not mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def __str__(self) -> str:
        mapped = "" if self.map_index < 0 else f"[{self.map_index}]"
        return f"{self.dag_id}.{self.task_id}{mapped} of run {self.run_id}"


@dataclass(frozen=True, slots=True)
class RunContext:
    """The try of a task instance that works, or nothing of it outside Airflow.

    Attributes:
        dag_id: DAG of the task.
        run_id: DAG run.
        task_id: Task.
        map_index: Index of the mapped task instance, -1 when the task is not mapped.
        try_number: Try of the task instance, from 1.
        logical_date: Logical date of the DAG run, aware.
        max_tries: Highest try number before it fails for good; a clear raises it.
        ti_id: Airflow's id of this try, a UUID of version 7, ordered by time; new for each retry and clear.
        generation: Counts the times the work was wanted: retries share one, a clear begins the next.
    """

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1
    try_number: int | None = None
    logical_date: datetime | None = None
    max_tries: int | None = None
    ti_id: UUID | None = None
    generation: int = 1

    @property
    def identity(self) -> TaskIdentity | None:
        """The task instance; None outside Airflow."""
        if self.dag_id is None or self.run_id is None or self.task_id is None:
            return None
        return TaskIdentity(self.dag_id, self.run_id, self.task_id, self.map_index)

    def parameters(self) -> dict[str, object]:
        """The parameters every SQL text may bind, e.g. `%(run_id)s`."""
        return asdict(self)


NO_TASK = RunContext()
"""The context of a script or a shell: every name is bound, to null."""
