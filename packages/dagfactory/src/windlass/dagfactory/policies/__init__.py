"""What makes a task survive: when it is tried again, how long it may take, what runs after it has failed.

Configs use these through `retry`, `timeout` and `compensate`; DAGs in Python use them directly::

    BashOperator(
        task_id="load",
        bash_command="...",
        retries=4,
        retry_policy=retry_policy(delay=timedelta(seconds=10), multiplier=2, cap=timedelta(minutes=5)),
        on_failure_callback=compensation(
            operator=BashOperator, task_id="undo", arguments={"bash_command": "..."}
        ),
        **timeout_arguments(BashOperator, timedelta(minutes=30)),
    )

Names are imported when first used: importing this package imports no Airflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from windlass.dagfactory.lazy import lazy

if TYPE_CHECKING:
    from windlass.dagfactory.policies.backoff import Attempt, Backoff
    from windlass.dagfactory.policies.compensate import Compensation, compensation
    from windlass.dagfactory.policies.retry import BackoffPolicy, retry_policy
    from windlass.dagfactory.policies.subject import Subject, subject_of
    from windlass.dagfactory.policies.timeouts import hold_timeout, timeout_arguments

_HOMES = {
    "Attempt": "backoff",
    "Backoff": "backoff",
    "BackoffPolicy": "retry",
    "Compensation": "compensate",
    "compensation": "compensate",
    "hold_timeout": "timeouts",
    "Subject": "subject",
    "retry_policy": "retry",
    "subject_of": "subject",
    "timeout_arguments": "timeouts",
}

__all__ = [
    "Attempt",
    "Backoff",
    "BackoffPolicy",
    "Compensation",
    "Subject",
    "compensation",
    "hold_timeout",
    "retry_policy",
    "subject_of",
    "timeout_arguments",
]


__getattr__, __dir__ = lazy(__name__, _HOMES, __all__)
