"""What a callback is about, told from whatever Airflow gives it: a task try, or a DAG run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """A try of a task instance, or a DAG run.

    Attributes:
        dag_id: The DAG.
        run_id: The DAG run.
        task_id: The task, or None of a DAG run.
        map_index: Which of a mapped task's instances; None where there is none.
        try_number: Which try, or None of a DAG run.
        state: State of the task as the worker knows it, or None.
        reason: Why Airflow calls on behalf of a DAG run, such as `timed_out` or `task_failure`; else None.
        error_type: Class of the exception that ended the try, where Airflow knows it.
    """

    dag_id: str
    run_id: str
    task_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None
    state: str | None = None
    reason: str | None = None
    error_type: str | None = None

    def as_event(self) -> dict[str, Any]:
        """Fields for a log event: what is known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def subject_of(context: Mapping[str, Any]) -> Subject:
    """Tell what a callback is about.

    Airflow calls a DAG's callbacks with `dag`, `run_id` and `reason`, and, where it can, with the context of
    the task instance that ended last, whose failure it need not be: only `reason` tells the two kinds apart.

    Args:
        context: What Airflow has passed to the callback.
    """
    ti = context.get("ti")
    if "reason" in context or ti is None:
        reason = context.get("reason")
        return Subject(
            context["dag"].dag_id, str(context["run_id"]), reason=None if reason is None else str(reason)
        )
    error = context.get("exception")
    return Subject(
        ti.dag_id,
        ti.run_id,
        ti.task_id,
        None if ti.map_index is None or ti.map_index < 0 else ti.map_index,
        ti.try_number,
        state=_text(getattr(ti, "state", None)),
        error_type=type(error).__name__ if isinstance(error, BaseException) else None,
    )


def _text(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))
