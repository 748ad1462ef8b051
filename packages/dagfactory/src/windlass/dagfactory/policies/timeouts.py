"""One time-out that holds whether a task runs or is deferred.

Airflow's `execution_timeout` is an alarm in the worker's process: while a task is deferred nothing watches
it, and after each deferral it begins anew. What is here makes it what Airflow 2 had: the time of one try,
from its first start, waiting for the trigger and for a worker to come back to included.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["hold_timeout", "timeout_arguments"]

_LIMIT = "_windlass_timeout"


def timeout_arguments(operator_class: type[BaseOperator], timeout: timedelta) -> dict[str, Any]:
    """Tell what to pass to an operator's constructor, so that a time-out holds.

    Args:
        operator_class: The operator.
        timeout: The longest that one try may take.

    Returns:
        `execution_timeout`, and, unless the operator does nothing at all, `on_execute_callback`: a list, to
        be joined with other callbacks of the kind.
    """
    # Airflow lets an empty task succeed without running it, unless it has such a callback. Of other operators
    # the mark is a property.
    if getattr(operator_class, "inherits_from_empty_operator", False) is True:
        return {"execution_timeout": timeout}
    return {"execution_timeout": timeout, "on_execute_callback": [hold_timeout]}


def hold_timeout(context: Mapping[str, Any]) -> None:
    """Leave the task what is left of its `execution_timeout`, and let it defer for no longer.

    An `on_execute_callback`: it runs in the worker right before a task begins or resumes, when the alarm is
    not yet set. It changes the worker's process, which runs nothing but this try, and its copy of the task.

    Args:
        context: Airflow's context of the task.
    """
    ti, task = context["ti"], context["task"]
    limit: timedelta | None = vars(task).setdefault(_LIMIT, task.execution_timeout)
    if limit is None:
        return
    deadline = _begin(ti, context) + limit

    _bound_deferrals(deadline)
    # Airflow fails the task at once where nothing is left, and would take zero for no limit.
    task.execution_timeout = deadline - datetime.now(UTC) or timedelta(microseconds=-1)


def _bound_deferrals(deadline: datetime) -> None:
    """Have every deferral of this process end by a deadline.

    It is the exception that knows: an operator may raise it without calling `defer`, and for an operator that
    triggers a DAG run Airflow raises it after the operator has returned. (`dag.test()`, which runs many tasks
    in one process, minds no time-outs of deferrals.)
    """
    from airflow.sdk.exceptions import TaskDeferred

    plain = getattr(TaskDeferred.__init__, "__wrapped__", TaskDeferred.__init__)

    @wraps(plain)
    def bounded(self: TaskDeferred, *, timeout: timedelta | float | None = None, **kwargs: Any) -> None:
        left = max(deadline - datetime.now(UTC), timedelta(0))
        own = timedelta(seconds=timeout) if isinstance(timeout, int | float) else timeout
        plain(self, timeout=left if own is None else min(own, left), **kwargs)

    TaskDeferred.__init__ = bounded  # type: ignore[method-assign]


def _begin(ti: Any, context: Mapping[str, Any]) -> datetime:
    """When the try began: Airflow keeps it through deferrals, and apart for rescheduled sensors."""
    first = ti.get_first_reschedule_date(context) if context.get("task_reschedule_count") else None
    begin: datetime = first or ti.start_date
    return begin
