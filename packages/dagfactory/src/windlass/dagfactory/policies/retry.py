"""Airflow's retry decision, made from the exception and from who failed.

Airflow asks a policy in the worker, in the process that raised. It does not ask when that process was killed,
when its heartbeat was lost, or about `AirflowFailException` and `AirflowSensorTimeout`: there `retries` and
`retry_delay` decide, so set them beside the policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryAction, RetryDecision, RetryPolicy

from windlass.dagfactory.policies.backoff import Attempt, Backoff
from windlass.dagfactory.policies.exceptions import matching

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["BackoffPolicy", "retry_policy"]

_FINAL = ("airflow.sdk.exceptions.AirflowFailException", "airflow.sdk.exceptions.AirflowSensorTimeout")


class BackoffPolicy(RetryPolicy):
    """Retry with backoff, on some exceptions only if so asked.

    Without state and safe to share between tasks. How often is the task's `retries`.

    Args:
        backoff: How long to wait.
        on: Import paths of exception classes that are retried, with their subclasses; empty means all.
        never_on: Import paths of those that fail the task at once, also where `on` names them.
    """

    def __init__(self, backoff: Backoff, *, on: Sequence[str] = (), never_on: Sequence[str] = ()) -> None:
        self.backoff = backoff
        self.on = tuple(on)
        self.never_on = tuple(never_on)

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide on a failed try; see `airflow.sdk.RetryPolicy`."""
        what = f"{type(exception).__module__}.{type(exception).__qualname__}".removeprefix("builtins.")
        if final := matching(exception, (*_FINAL, *self.never_on)):
            return RetryDecision.fail(f"{what} is never retried (never_on names {final})")
        if self.on and not matching(exception, self.on):
            return RetryDecision.fail(f"{what} is not retried: on names {', '.join(self.on)} only")
        tried = _tried(try_number, max_tries, context)
        left = max_tries + 1 - try_number
        if left <= 0:
            reason = f"{what} in the last of {tried} tries"
            return RetryDecision(action=RetryAction.DEFAULT, reason=reason)
        wait = self.backoff.wait(tried, _attempt(try_number, context))
        reason = f"{what} in try {tried} of {tried + left}; next try in {wait.total_seconds():.3f} s"
        return RetryDecision.retry(wait, reason)

    def serialize(self) -> dict[str, Any]:
        """Say in JSON what the policy does."""
        cap = self.backoff.cap
        return {
            "delay": self.backoff.delay.total_seconds(),
            "multiplier": self.backoff.multiplier,
            "cap": None if cap is None else cap.total_seconds(),
            "jitter": self.backoff.jitter,
            "on": list(self.on),
            "never_on": list(self.never_on),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BackoffPolicy:
        """Make the policy that `serialize` told of."""
        cap = data["cap"]
        backoff = Backoff(
            delay=timedelta(seconds=data["delay"]),
            multiplier=data["multiplier"],
            cap=None if cap is None else timedelta(seconds=cap),
            jitter=data["jitter"],
        )
        return cls(backoff, on=data["on"], never_on=data["never_on"])


def retry_policy(
    *,
    delay: timedelta,
    multiplier: float = 1,
    cap: timedelta | None = None,
    jitter: bool = True,
    on: Sequence[str] = (),
    never_on: Sequence[str] = (),
) -> RetryPolicy:
    """Make a retry policy, or give the one that was made of the same arguments before.

    Args:
        delay: Wait after the first try, at the most where there is jitter.
        multiplier: Factor by which it grows with each try, at least 1.
        cap: Longest wait, or None.
        jitter: Whether the wait is uniform between zero and the backoff, different for each run, task, map
            index and try.
        on: Import paths of exception classes that are retried, with their subclasses; empty means all.
        never_on: Import paths of those that fail the task at once, also where `on` names them.

    Raises:
        ValueError: A duration is negative, or the multiplier less than 1.
    """
    return _shared(Backoff(delay, multiplier, cap, jitter), tuple(on), tuple(never_on))


@lru_cache(maxsize=1024)
def _shared(backoff: Backoff, on: tuple[str, ...], never_on: tuple[str, ...]) -> RetryPolicy:
    return BackoffPolicy(backoff, on=on, never_on=never_on)


def _tried(try_number: int, max_tries: int, context: Context | None) -> int:
    """Count the tries since the task was started or last cleared: a clear adds to both numbers."""
    task = context.get("task") if context is not None else None
    if task is None:
        return try_number
    return min(max(try_number - (max_tries - (task.retries or 0)), 1), try_number)


def _attempt(try_number: int, context: Context | None) -> Attempt:
    ti = context.get("ti") if context is not None else None
    if ti is None:
        return Attempt("", "", "", -1, try_number)
    map_index = -1 if ti.map_index is None else ti.map_index
    return Attempt(ti.dag_id, ti.run_id, ti.task_id, map_index, try_number)
