"""Waits between tries, exceptions by their path, and time-outs, without an Airflow that runs."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from statistics import mean
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import BaseOperator, RetryAction, RetryDecision
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.dagfactory import policies
from windlass.dagfactory.policies import (
    Attempt,
    Backoff,
    BackoffPolicy,
    hold_timeout,
    retry_policy,
    timeout_arguments,
)
from windlass.dagfactory.policies.exceptions import matching

pytestmark = pytest.mark.integration  # they import Airflow

backoffs = st.builds(
    Backoff,
    delay=st.timedeltas(timedelta(0), timedelta(days=100)),
    multiplier=st.floats(1, 100),
    cap=st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=100)),
    jitter=st.booleans(),
)
attempts = st.builds(Attempt, st.text(), st.text(), st.text(), st.integers(-1, 10**6), st.integers(1, 10**6))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(backoffs, st.integers(1, 10**4), attempts)
def test_a_wait_stays_within_its_bounds_and_is_always_the_same(
    backoff: Backoff, tried: int, attempt: Attempt
) -> None:
    wait = backoff.wait(tried, attempt)
    assert timedelta(0) <= wait <= backoff.longest(tried)
    assert backoff.longest(tried) <= backoff.longest(tried + 1)
    if backoff.cap is not None:
        assert backoff.longest(tried) <= max(backoff.cap, timedelta(0))
    if not backoff.jitter:
        assert wait == backoff.longest(tried)
    assert wait == backoff.wait(tried, Attempt(**vars(attempt)))


def test_the_wait_grows_as_the_field_knows_it() -> None:
    backoff = Backoff(timedelta(seconds=10), 2, timedelta(seconds=60))
    assert [backoff.longest(n).total_seconds() for n in (1, 2, 3, 4, 5000)] == [10, 20, 40, 60, 60]
    assert Backoff(timedelta(0), 100).longest(10**6) == timedelta(0)


@pytest.mark.parametrize("tried", [1, 3])
def test_200_mapped_tasks_that_fail_together_come_back_apart(tried: int) -> None:
    backoff = Backoff(timedelta(seconds=10), 2)
    waits = sorted(
        backoff.wait(tried, Attempt("d", "r", "t", index, tried)) / backoff.longest(tried)
        for index in range(200)
    )
    assert abs(mean(waits) - 0.5) < 0.06
    # Kolmogorov and Smirnov's distance to the uniform distribution; 0.115 is its 1 % bound for 200.
    distance = max(max((n + 1) / 200 - wait, wait - n / 200) for n, wait in enumerate(waits))
    assert distance < 0.115
    assert max(sum(low <= wait < low + 0.05 for wait in waits) for low in waits) <= 22


@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id", "map_index", "try_number"])
def test_each_part_of_who_waits_changes_the_wait(name: str) -> None:
    who: dict[str, Any] = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": 1, "try_number": 1}
    other = who | {name: 2 if isinstance(who[name], int) else "other"}
    assert Attempt(**who).fraction() != Attempt(**other).fraction()


def test_a_wait_is_the_same_in_another_process() -> None:
    code = "from windlass.dagfactory.policies import Attempt; print(Attempt('d', 'r', 't', 3, 1).fraction())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == Attempt("d", "r", "t", 3, 1).fraction()


@pytest.mark.parametrize(
    "wrong",
    [
        {"delay": timedelta(seconds=-1)},
        {"delay": timedelta(0), "cap": timedelta(0)},
        {"delay": timedelta(0), "multiplier": 0.5},
        {"delay": timedelta(0), "multiplier": float("inf")},
        {"delay": timedelta(0), "multiplier": float("nan")},
    ],
)
def test_what_is_no_backoff_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="write a"):
        retry_policy(**wrong)


class _Outer:
    class InnerError(OSError):
        pass


class OtherError(Exception):
    pass


HERE = OtherError.__module__


@pytest.mark.parametrize(
    ("error", "path", "expected"),
    [
        (ConnectionResetError(), "builtins.ConnectionError", True),
        (ConnectionResetError(), "ConnectionError", True),
        (ConnectionResetError(), "OSError", True),
        (ConnectionResetError(), "ValueError", False),
        (_Outer.InnerError(), f"{HERE}._Outer.InnerError", True),
        (_Outer.InnerError(), "OSError", True),
        (OtherError(), f"{HERE}.OtherError", True),
        (OtherError(), "windlass_test_nowhere.OtherError", False),
        (OtherError(), "builtins.object", False),
        (SystemExit(), "BaseException", True),
    ],
)
def test_an_exception_is_known_by_its_path_and_those_of_its_bases(
    error: BaseException, path: str, expected: bool
) -> None:
    assert (matching(error, [path]) == path) is expected


def test_an_exception_is_known_where_a_loaded_module_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    front = ModuleType("windlass_test_front")
    front.Shown = OtherError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "windlass_test_front", front)
    assert matching(OtherError(), ["windlass_test_front.Shown"])
    assert not matching(ValueError(), ["windlass_test_front.Shown", "windlass_test_front.Missing"])


def test_a_path_that_cannot_be_imported_is_neither_imported_nor_matched() -> None:
    path = "windlass_test_operators_raising.Error"
    policy = retry_policy(delay=timedelta(0), on=[path])
    assert policy.evaluate(OtherError(), 1, 2).action is RetryAction.FAIL
    assert "windlass_test_operators_raising" not in sys.modules


def decide(
    error: BaseException, *, try_number: int = 1, max_tries: int = 2, retries: int = 2, **options: Any
) -> RetryDecision:
    policy = retry_policy(delay=timedelta(seconds=8), multiplier=2, **options)
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=None, try_number=try_number)
    context: Any = {"ti": ti, "task": SimpleNamespace(retries=retries)}
    return policy.evaluate(error, try_number, max_tries, context)


def test_a_failed_try_is_made_again_after_its_wait() -> None:
    decision = decide(ConnectionError(), jitter=False, try_number=2)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=16))
    assert decision.reason == "ConnectionError in try 2 of 3; next try in 16.000 s"
    spread = decide(ConnectionError())
    assert spread.retry_delay is not None
    assert timedelta(0) < spread.retry_delay < timedelta(seconds=8)
    assert spread == decide(ConnectionError())


def test_the_last_try_is_left_to_airflow_with_a_reason() -> None:
    decision = decide(ConnectionError(), try_number=3)
    assert (decision.action, decision.reason) == (
        RetryAction.DEFAULT,
        "ConnectionError in the last of 3 tries",
    )


def test_the_wait_begins_anew_after_a_clear() -> None:
    """A clear of a task that took three tries leaves max_tries at try_number + retries."""
    decision = decide(ConnectionError(), jitter=False, try_number=4, max_tries=5)
    assert decision.retry_delay == timedelta(seconds=8)
    assert decision.reason is not None
    assert "try 1 of 3" in decision.reason


def test_a_policy_without_context_counts_all_tries() -> None:
    policy = retry_policy(delay=timedelta(seconds=1), multiplier=2, jitter=False)
    assert policy.evaluate(OtherError(), 3, 5).retry_delay == timedelta(seconds=4)
    assert policy.evaluate(OtherError(), 3, 5, {}).retry_delay == timedelta(seconds=4)  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "action", "reason"),
    [
        (ConnectionResetError(), RetryAction.RETRY, "next try"),
        (TimeoutError(), RetryAction.FAIL, "never_on names TimeoutError"),
        (OtherError(), RetryAction.FAIL, "on names OSError only"),
    ],
)
def test_only_what_on_names_is_retried_and_never_what_never_on_names(
    error: BaseException, action: RetryAction, reason: str
) -> None:
    decision = decide(error, on=["OSError"], never_on=["TimeoutError"])
    assert decision.action is action
    assert decision.reason is not None
    assert reason in decision.reason


@pytest.mark.parametrize("error", [AirflowFailException("no"), AirflowSensorTimeout("late")])
def test_what_airflow_never_retries_is_not_retried(error: BaseException) -> None:
    assert decide(error, on=["Exception"]).action is RetryAction.FAIL


def test_policies_are_shared_pickled_and_said_in_json() -> None:
    policy = retry_policy(delay=timedelta(seconds=1), cap=timedelta(seconds=5), on=["OSError"])
    assert retry_policy(delay=timedelta(seconds=1), cap=timedelta(seconds=5), on=["OSError"]) is policy
    for data in (policy.serialize(), retry_policy(delay=timedelta(seconds=1)).serialize()):
        assert BackoffPolicy.deserialize(data).serialize() == data
    assert pickle.loads(pickle.dumps(policy)).serialize() == policy.serialize()


class Deferring(BaseOperator):
    def execute(self, context: Any) -> NoReturn:
        if context.get("itself"):
            raise TaskDeferred(trigger=None, method_name="done", timeout=context.get("own"))
        self.defer(trigger=None, method_name="done", timeout=context.get("own"))


@pytest.fixture(autouse=True)
def _one_process_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo at the end of a test what a worker's process keeps to its end."""
    monkeypatch.setattr(TaskDeferred, "__init__", TaskDeferred.__init__)


def held(limit: float | None, *, elapsed: float, **context: Any) -> tuple[Deferring, dict[str, Any]]:
    """A task as it is right before it begins or resumes."""
    task = Deferring(task_id="t", execution_timeout=None if limit is None else timedelta(seconds=limit))
    task = task.prepare_for_execution()
    ti = SimpleNamespace(
        start_date=datetime.now(UTC) - timedelta(seconds=elapsed),
        get_first_reschedule_date=lambda context: datetime.now(UTC) - timedelta(seconds=context["first"]),
    )
    full = {"ti": ti, "task": task, **context}
    hold_timeout(full)
    return task, full


def deferred_for(task: Deferring, context: Mapping[str, Any]) -> float | None:
    with pytest.raises(TaskDeferred) as caught:
        task.execute(context)
    timeout = caught.value.timeout
    return None if timeout is None else float(timeout.total_seconds())


@pytest.mark.parametrize(
    ("own", "expected"), [(None, 60), (timedelta(seconds=20), 20), (20, 20), (0.5, 0.5), (900, 60)]
)
@pytest.mark.parametrize("itself", [False, True], ids=["defer()", "raises TaskDeferred"])
def test_a_deferral_lasts_no_longer_than_what_is_left(own: Any, expected: float, *, itself: bool) -> None:
    task, context = held(100, elapsed=40, own=own, itself=itself)
    assert deferred_for(task, context) == pytest.approx(expected, abs=5)
    assert task.execution_timeout is not None
    assert task.execution_timeout.total_seconds() == pytest.approx(60, abs=5)


def test_a_try_that_resumes_too_late_has_nothing_left() -> None:
    task, context = held(10, elapsed=40)
    assert task.execution_timeout is not None
    assert task.execution_timeout < timedelta(0)
    assert deferred_for(task, context) == 0


def test_a_time_out_is_not_shortened_twice() -> None:
    task, context = held(100, elapsed=40)
    hold_timeout(context)
    assert task.execution_timeout is not None
    assert task.execution_timeout.total_seconds() == pytest.approx(60, abs=5)
    assert deferred_for(task, context) == pytest.approx(60, abs=5)


def test_the_time_out_of_a_try_does_not_count_for_the_next() -> None:
    held(10, elapsed=40)
    task, context = held(100, elapsed=0)
    assert deferred_for(task, context) == pytest.approx(100, abs=5)


def test_a_rescheduled_sensor_has_its_time_out_from_its_first_look() -> None:
    task, _ = held(100, elapsed=0, task_reschedule_count=3, first=70)
    assert task.execution_timeout is not None
    assert task.execution_timeout.total_seconds() == pytest.approx(30, abs=5)


def test_a_task_without_time_out_is_left_alone() -> None:
    task, context = held(None, elapsed=40)
    assert task.execution_timeout is None
    assert deferred_for(task, context) is None


def test_a_time_out_costs_an_empty_task_no_process() -> None:
    limit = timedelta(minutes=1)
    assert timeout_arguments(EmptyOperator, limit) == {"execution_timeout": limit}
    assert timeout_arguments(BashOperator, limit) == {
        "execution_timeout": limit,
        "on_execute_callback": [hold_timeout],
    }


def test_the_package_imports_no_airflow_until_it_must() -> None:
    code = (
        "import sys, windlass.dagfactory.policies as p; p.Backoff; p.Subject; print('airflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert set(policies.__all__) <= set(dir(policies))
    for name in policies.__all__:
        assert callable(getattr(policies, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = policies.nothing
