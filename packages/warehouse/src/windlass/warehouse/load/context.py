"""Who is loading: what bookkeeping rows and SQL parameters say about the running task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

__all__ = ["NO_TASK", "RunContext"]


@dataclass(frozen=True, slots=True)
class RunContext:
    """The task instance that works, or nothing of it outside Airflow.

    Attributes:
        dag_id: DAG of the task.
        run_id: DAG run.
        task_id: Task.
        map_index: Index of the mapped task instance, -1 when the task is not mapped.
        try_number: Try of the task instance, from 1.
        logical_date: Logical date of the DAG run, aware.
    """

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1
    try_number: int | None = None
    logical_date: datetime | None = None

    def parameters(self) -> dict[str, object]:
        """The parameters every SQL text may bind, e.g. `%(run_id)s`."""
        return asdict(self)


NO_TASK = RunContext()
"""The context of a script or a shell: every name is bound, to null."""
