"""Compensation, retry policies and time-outs in tasks that Airflow really runs."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NoReturn

import pytest
import structlog
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from structlog.typing import EventDict

from windlass.dagfactory.notifiers.log import LogNotifier
from windlass.dagfactory.policies import (
    Attempt,
    Backoff,
    BackoffPolicy,
    Compensation,
    Subject,
    compensation,
    subject_of,
    timeout_arguments,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RUN = "windlass_test_run"
BACKOFF = Backoff(timedelta(milliseconds=80))


class Undo(BaseOperator):
    """Keeps what it was run with; one process runs the DAG and the test."""

    template_fields = ("what",)
    runs: ClassVar[list[tuple[str, Subject]]] = []

    def __init__(self, *, what: str = "", deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.what = what
        self.deferrable = deferrable

    def execute(self, context: Any) -> None:
        if self.deferrable:
            self.defer(trigger=TimeDeltaTrigger(timedelta(0)), method_name="execute")
        self.runs.append((self.what, context["failure"]))


class Stubborn(BaseOperator):
    killed = 0

    def __init__(self, *, error: BaseException | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error = error

    def execute(self, context: Any) -> None:
        if self.error is not None:
            raise self.error
        with structlog.testing.capture_logs():
            while True:
                pass

    def on_kill(self) -> None:
        type(self).killed += 1


class Deferring(BaseOperator):
    def __init__(self, *, number: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context: Any) -> NoReturn:
        self.defer(trigger=TimeDeltaTrigger(timedelta(milliseconds=1)), method_name="resumed")

    def resumed(self, context: Any, event: Any = None) -> None:
        while True:
            pass


def unreliable(number: int) -> None:
    if number == 2:
        raise ValueError("not to be tried again")
    raise ConnectionError("the other side is away")


def give_up() -> NoReturn:
    raise AirflowFailException("for good")


class Outcome:
    """How a DAG run ended, and the events that were logged in it."""

    def __init__(self, run: Any, events: list[EventDict]) -> None:
        self.run_id = run.run_id
        self.state = str(run.state)
        self.tasks = {
            (ti.task_id, ti.map_index): (str(ti.state), ti.try_number) for ti in run.get_task_instances()
        }
        self.events = events

    def of(self, event: str, **fields: Any) -> list[EventDict]:
        return [each for each in self.events if each["event"] == event and fields.items() <= each.items()]


@pytest.fixture(scope="module")
def run(database: Path, airflow_home: Path) -> Iterator[Callable[[DAG], Outcome]]:
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    shutil.copy(database, airflow_home / "airflow.db")

    def run(dag: DAG) -> Outcome:
        with create_session() as session:
            session.merge(DagBundleModel(name=RUN))
            session.flush()
            parsed = [LazyDeserializedDAG.from_dag(dag)]
            update_dag_parsing_results_in_db(RUN, None, parsed, {}, None, set(), session)
        with structlog.testing.capture_logs() as events:
            return Outcome(dag.test(), events)

    yield run
    (airflow_home / "airflow.db").unlink()


@pytest.fixture
def undone() -> Iterator[list[tuple[str, Subject]]]:
    Undo.runs.clear()
    yield Undo.runs
    Undo.runs.clear()


def undo(what: str = "", **arguments: Any) -> Callable[[Mapping[str, Any]], None]:
    return compensation(operator=Undo, task_id="undo", arguments={"what": what, **arguments})


def test_mapped_tasks_are_retried_by_policy_and_each_is_compensated_once(
    run: Callable[[DAG], Outcome], undone: list[tuple[str, Subject]]
) -> None:
    with DAG("compensated_mapped_v1", schedule=None, on_failure_callback=undo("{{ failure.reason }}")) as dag:
        PythonOperator.partial(
            task_id="work",
            python_callable=unreliable,
            retries=2,
            retry_delay=timedelta(0),
            retry_policy=BackoffPolicy(BACKOFF, on=["ConnectionError"]),
            on_failure_callback=undo("{{ failure.task_id }}[{{ failure.map_index }}] {{ ti.try_number }}"),
        ).expand(op_args=[[0], [1], [2]])
    outcome = run(dag)
    assert outcome.state == "failed"
    assert outcome.tasks == {
        ("work", 0): ("failed", 3),
        ("work", 1): ("failed", 3),
        ("work", 2): ("failed", 1),
    }
    assert sorted(what for what, _ in undone[:-1]) == ["work[0] 3", "work[1] 3", "work[2] 1"]
    what, failure = undone[-1]
    assert (what, failure.task_id, failure.reason) == ("task_failure", None, "task_failure")
    reasons = [event["reason"] for event in outcome.of("Retry policy decision")]
    expected = [
        f"ConnectionError in try {tried} of 3; next try in {wait.total_seconds():.3f} s"
        for index in (0, 1)
        for tried in (1, 2)
        for wait in [BACKOFF.wait(tried, Attempt(dag.dag_id, outcome.run_id, "work", index, tried))]
    ]
    assert sorted(reason for reason in reasons if "next try" in reason) == sorted(expected)
    assert reasons.count("ConnectionError in the last of 3 tries") == 2
    assert "ValueError is not retried: on names ConnectionError only" in reasons
    assert len(outcome.of("compensation_started")) == len(outcome.of("compensation_succeeded")) == 4
    [started] = outcome.of("compensation_started", map_index=1)
    assert (started["error_type"], started["state"]) == ("ConnectionError", "failed")


def test_a_time_out_holds_after_a_deferral_and_is_compensated(
    run: Callable[[DAG], Outcome], undone: list[tuple[str, Subject]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaskDeferred, "__init__", TaskDeferred.__init__)  # one process runs all here
    options: dict[str, Any] = {
        "on_failure_callback": undo("{{ failure.error_type }} of {{ failure.task_id }}"),
        **timeout_arguments(Deferring, timedelta(seconds=0.5)),
    }
    with DAG("compensated_deferred_v1", schedule=None) as dag:
        Deferring(task_id="wait", **options)
        Deferring.partial(task_id="each", **options).expand(number=[1])
    outcome = run(dag)
    assert outcome.tasks == {("wait", -1): ("failed", 1), ("each", 0): ("failed", 1)}
    assert sorted(what for what, _ in undone) == ["AirflowTaskTimeout of each", "AirflowTaskTimeout of wait"]


def test_a_failed_compensation_is_logged_and_changes_nothing(run: Callable[[DAG], Outcome]) -> None:
    broken = compensation(operator=Stubborn, task_id="undo", arguments={"error": OSError("no disk")})
    with DAG("compensated_in_vain_v1", schedule=None) as dag:
        PythonOperator(
            task_id="work",
            python_callable=give_up,
            retries=3,
            on_failure_callback=[broken, LogNotifier("{{ ti.task_id }} failed", level="error")],
        )
    outcome = run(dag)
    assert (outcome.state, outcome.tasks) == ("failed", {("work", -1): ("failed", 1)})
    [failed] = outcome.of("compensation_failed")
    assert (failed["compensation_error"], failed["error_type"]) == ("OSError", "AirflowFailException")
    assert failed["exc_info"]
    [told] = outcome.of("notification")
    assert (told["message"], told["task_id"], told["log_level"]) == ("work failed", "work", "error")


def poor(dag_id: str = "sales_daily_load_v1") -> dict[str, Any]:
    """What Airflow gives a DAG's callback where it knows no task of the run."""
    return {"dag": DAG(dag_id, schedule=None), "run_id": "r", "reason": "timed_out"}


def called(callback: Callable[[Mapping[str, Any]], None], context: Mapping[str, Any]) -> list[EventDict]:
    with structlog.testing.capture_logs() as events:
        callback(context)
    return events


def test_a_dag_is_compensated_with_the_little_that_airflow_tells(undone: list[tuple[str, Subject]]) -> None:
    events = called(undo("{{ dag.dag_id }} {{ run_id }} {{ failure.reason }}"), poor())
    assert [event["event"] for event in events] == ["compensation_started", "compensation_succeeded"]
    assert undone == [
        (
            "sales_daily_load_v1 r timed_out",
            Subject("sales_daily_load_v1", "r", reason="timed_out"),
        )
    ]
    assert set(events[0]) >= {"dag_id", "run_id", "reason", "compensation", "operator"}


def test_an_operator_that_insists_on_deferring_is_refused_with_advice() -> None:
    [_, failed] = called(undo(deferrable=True), poor())
    assert (failed["event"], failed["compensation_error"]) == ("compensation_failed", "TaskDeferred")
    assert "deferrable to false" in failed["advice"]


def test_a_compensation_ends_before_airflow_would_end_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TASK_SUCCESS_OVERTIME", "1")
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT", "2")
    before = Stubborn.killed
    endless = compensation(operator=Stubborn, task_id="undo", arguments={})
    for context, seconds in ((poor(), 1.5), ({**poor(), "exception": None}, 1)):
        failed = called(endless, context)[-1]
        assert (failed["event"], failed["compensation_error"]) == (
            "compensation_failed",
            "AirflowTaskTimeout",
        )
        assert failed["seconds"] == pytest.approx(seconds, abs=0.4)
    assert Stubborn.killed == before + 2


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (AirflowSkipException("nothing to undo"), "compensation_skipped"),
        (SystemExit(3), "compensation_failed"),
    ],
)
def test_nothing_comes_out_of_a_compensation(error: BaseException, event: str) -> None:
    callback = compensation(operator=Stubborn, task_id="undo", arguments={"error": error})
    assert called(callback, poor())[-1]["event"] == event


def test_an_interrupt_comes_out_of_a_compensation() -> None:
    with pytest.raises(KeyboardInterrupt):
        compensation(operator=Stubborn, task_id="undo", arguments={"error": KeyboardInterrupt()})(poor())


def test_arguments_that_the_operator_refuses_are_logged() -> None:
    failed = called(compensation(operator=Undo, task_id="undo", arguments={"waht": 1}), poor())[-1]
    assert (failed["event"], failed["compensation_error"]) == ("compensation_failed", "TypeError")


def test_what_nobody_gave_a_context_is_logged_too() -> None:
    [failed] = called(undo(), {})
    assert (failed["event"], failed["compensation_error"]) == ("compensation_failed", "KeyError")


def test_a_compensation_pickles() -> None:
    callback = pickle.loads(pickle.dumps(undo("x")))
    assert isinstance(callback, Compensation)
    assert repr(callback) == "Compensation(operator=Undo, task_id='undo')"
    assert callback.arguments == {"what": "x"}


def test_a_callback_in_the_dag_processor_is_about_the_run_whatever_task_comes_along() -> None:
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=2)
    assert subject_of({"ti": ti}) == Subject("d", "r", "t", None, 2)
    with_task = {**poor("d"), "ti": ti, "reason": None}
    assert subject_of(with_task) == Subject("d", "r")
    assert subject_of(with_task).as_event() == {"dag_id": "d", "run_id": "r"}
