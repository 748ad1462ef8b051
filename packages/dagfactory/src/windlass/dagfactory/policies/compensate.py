"""An operator that runs when a task or a DAG run has failed, to undo what was done or to clean up.

It runs inside a callback of Airflow's: in the worker after the task's last try, or in the dag processor for a
DAG run and for a task whose process was lost. Such a callback runs at most once, is ended after some seconds,
and its result is nowhere in the metadata database: the log tells what happened.
"""

from __future__ import annotations

import contextvars
import inspect
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from windlass.dagfactory.policies.subject import Subject, subject_of

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["Compensation", "compensation"]

_SHARE = 0.75


class Compensation:
    """A failure callback that runs an operator; see `compensation`.

    Attributes:
        operator: The operator's class.
        task_id: Id of the operator's instance, for its log; no task of the DAG.
        arguments: Its constructor's keyword arguments.
    """

    def __init__(self, *, operator: type[BaseOperator], task_id: str, arguments: Mapping[str, Any]) -> None:
        self.operator = operator
        self.task_id = task_id
        self.arguments = dict(arguments)

    def __repr__(self) -> str:
        return f"Compensation(operator={self.operator.__name__}, task_id={self.task_id!r})"

    def __call__(self, context: Mapping[str, Any]) -> None:
        """Run the operator; whatever it raises is logged, for Airflow's work on the failure must go on.

        Args:
            context: What Airflow passes to a failure callback of a task or a DAG.
        """
        log = structlog.get_logger(__name__).bind(compensation=self.task_id, operator=self.operator.__name__)
        begin = time.monotonic()
        try:
            subject = subject_of(context)
            log = log.bind(**subject.as_event())
            log.info("compensation_started")
            self._run(context, subject)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # TaskDeferred, AirflowTaskTimeout and SystemExit are no Exceptions
            outcome = {"seconds": _since(begin), "compensation_error": type(error).__name__}
            if type(error).__name__ == "AirflowSkipException":
                log.info("compensation_skipped", **outcome)
            else:
                log.exception("compensation_failed", **outcome, advice=_advice(error))
        else:
            log.info("compensation_succeeded", seconds=_since(begin))

    def _run(self, context: Mapping[str, Any], subject: Subject) -> None:
        from airflow.sdk.bases.operator import ExecutorSafeguard
        from airflow.sdk.exceptions import AirflowTaskTimeout
        from airflow.sdk.execution_time.context import set_current_context
        from airflow.sdk.execution_time.timeout import timeout

        arguments = {"deferrable": False, **self.arguments} if _can_defer(self.operator) else self.arguments
        operator = self.operator(task_id=self.task_id, **arguments)
        own: Any = {**context, "failure": subject}
        # Of a DAG, dag.test() gives callbacks the serialized form, which has no folder to find templates in.
        environment = getattr(own["dag"], "get_template_env", operator.get_template_env)

        def run() -> None:
            # Airflow sets it for the task that it runs, and warns of operators that others call.
            ExecutorSafeguard.tracker.set(operator)
            with set_current_context(own), timeout(_limit(context)):  # type: ignore[no-untyped-call]
                operator.render_template_fields(own, environment())
                operator.pre_execute(own)
                operator.post_execute(own, operator.execute(own))

        try:
            contextvars.copy_context().run(run)
        except AirflowTaskTimeout:
            operator.on_kill()
            raise


def compensation(
    *, operator: type[BaseOperator], task_id: str, arguments: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], None]:
    """Make a failure callback, for a task or a DAG, that runs an operator.

    The operator is made when it is needed, with `deferrable=False` where it takes that and `arguments` say
    nothing: nobody waits for a trigger in a callback. It may take three quarters of what Airflow gives its
    callbacks: `[core] task_success_overtime` (20 s) in a worker, `[dag_processor] dag_file_processor_timeout`
    (50 s) in the dag processor. Its templates see Airflow's context, of which a DAG's
    callback may have no more than `dag`, `run_id` and `reason`, and besides `failure`, the
    `windlass.dagfactory.policies.Subject` that failed. XComs are not pushed.

    Args:
        operator: The operator's class.
        task_id: Id of the operator's instance, for its log; no task of the DAG.
        arguments: Its constructor's keyword arguments.

    Returns:
        The callback, for `on_failure_callback`. It raises nothing and logs `compensation_started`, then
        `compensation_succeeded`, `compensation_skipped` or `compensation_failed`.
    """
    return Compensation(operator=operator, task_id=task_id, arguments=arguments)


def _limit(context: Mapping[str, Any]) -> float:
    """How many seconds there are.

    Airflow ends a process whose callbacks take longer than a setting says. In the worker that overturns what
    it has reported: of a task that failed for good and has retries left, another try is made, and the
    callback runs again. So the operator has three quarters of that time.
    """
    from airflow.sdk.configuration import conf

    worker = "exception" in context  # which the task runner adds
    section, key = (
        ("core", "task_success_overtime") if worker else ("dag_processor", "dag_file_processor_timeout")
    )
    return max(_SHARE * float(conf.getfloat(section, key)), 1)


def _can_defer(operator: type[BaseOperator]) -> bool:
    return any(
        "deferrable" in inspect.signature(vars(base)["__init__"]).parameters
        for base in operator.__mro__
        if "__init__" in vars(base) and base is not object
    )


def _advice(error: BaseException) -> str:
    if type(error).__name__ == "TaskDeferred":
        return "it must not defer: set deferrable to false, or use another operator"
    if type(error).__name__ == "AirflowTaskTimeout":
        return "make it quicker, or let it only start what takes long"
    return "undo by hand what the failed work has left, then correct the operator or its arguments"


def _since(begin: float) -> float:
    return round(time.monotonic() - begin, 3)
