"""The notifier that needs no service, and the registry that it and others are found in."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from airflow.sdk import DAG, BaseNotifier
from structlog.typing import EventDict

from windlass.dagfactory.errors import UnknownNotifierError, UnusableNotifierError
from windlass.dagfactory.notifiers.log import LogNotifier
from windlass.dagfactory.notifiers.specs import LogParameters
from windlass.dagfactory.registry import (
    NOTIFIER_GROUP,
    NotifierRegistry,
    NotifierSpec,
    notifier_registry,
)
from windlass.dagfactory.signature import import_notifier, signature_of

pytestmark = pytest.mark.integration  # they import Airflow


def told(notifier: Any, context: dict[str, Any]) -> EventDict:
    with structlog.testing.capture_logs() as events:
        notifier(context)
    [event] = [each for each in events if each["event"] == "notification"]
    return event


def of_a_task(task_id: str) -> dict[str, Any]:
    ti = SimpleNamespace(
        dag_id="sales_daily_load_v1", run_id="r", task_id=task_id, map_index=2, try_number=3, state="failed"
    )
    return {"dag": DAG("sales_daily_load_v1", schedule=None), "run_id": "r", "ti": ti, "exception": OSError()}


def test_a_task_is_told_of_with_all_that_is_known() -> None:
    event = told(LogNotifier("{{ ti.task_id }} of {{ dag.dag_id }}", level="warning"), of_a_task("load"))
    assert event == {
        "event": "notification",
        "log_level": "warning",
        "message": "load of sales_daily_load_v1",
        "dag_id": "sales_daily_load_v1",
        "run_id": "r",
        "task_id": "load",
        "map_index": 2,
        "try_number": 3,
        "state": "failed",
        "error_type": "OSError",
    }


def test_a_run_is_told_of_with_the_little_that_airflow_gives() -> None:
    context = {"dag": DAG("sales_daily_load_v1", schedule=None), "run_id": "r", "reason": "timed_out"}
    event = told(LogNotifier(), context)
    assert (event["message"], event["reason"], event["log_level"]) == (
        "sales_daily_load_v1 r",
        "timed_out",
        "info",
    )


def test_one_notifier_tells_of_each_task_its_own() -> None:
    """Airflow renders a notifier in place, so that the second message would be the first one's."""
    notifier = LogNotifier("{{ ti.task_id }}")
    context = of_a_task("load")
    keys = set(context)
    assert [told(notifier, context)["message"], told(notifier, of_a_task("check"))["message"]] == [
        "load",
        "check",
    ]
    assert set(context) == keys


def test_a_message_that_cannot_be_rendered_is_told_as_it_stands() -> None:
    event = told(LogNotifier("{{ nothing.at_all }}"), of_a_task("load"))
    assert event["message"] == "{{ nothing.at_all }}"
    assert event["message_error"] == "UndefinedError: 'nothing' is undefined"


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match='write "info", "warning" or "error"'):
        LogNotifier(level="loud")  # type: ignore[arg-type]


def test_the_notifier_does_without_being_called() -> None:
    with structlog.testing.capture_logs() as events:
        LogNotifier("plain").notify(of_a_task("load"))
    assert [event["message"] for event in events] == ["plain"]


def test_log_is_installed_and_its_spec_is_its_constructor() -> None:
    registry = notifier_registry()
    assert "log" in registry.names()
    spec = registry.get("log")
    assert isinstance(spec, NotifierSpec)
    path = registry.class_path(spec)
    assert import_notifier(path) is LogNotifier
    assert signature_of(path, "notifier").accepted == set(LogParameters.model_fields)
    assert vars(LogNotifier()).items() >= LogParameters().model_dump().items()


def test_a_notifier_is_unknown_or_unusable_as_an_operator_is() -> None:
    def entry(value: str) -> EntryPoint:
        return EntryPoint("x", value, NOTIFIER_GROUP)

    with pytest.raises(
        UnknownNotifierError, match="notifier 'lgo': no such notifier is registered"
    ) as caught:
        notifier_registry().get("lgo")
    assert caught.value.suggestions == ('did you mean "log"?',)
    operator = entry("windlass_test_operators:NOTE")
    with pytest.raises(UnusableNotifierError, match="is no notifier spec"):
        NotifierRegistry([operator]).get("x")
    with pytest.raises(UnusableNotifierError, match="uninstall one"):
        NotifierRegistry([operator, entry("windlass.dagfactory.notifiers.specs:LOG")]).get("x")
    with pytest.raises(UnusableNotifierError, match="cannot be imported"):
        NotifierRegistry([entry("windlass_test_operators_exiting:SPEC")]).get("x")


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        ("windlass_test_nowhere.Notifier", UnknownNotifierError, "no module 'windlass_test_nowhere'"),
        ("windlass_test_operators_airflow.Note", UnusableNotifierError, "airflow.sdk.BaseNotifier"),
    ],
)
def test_a_class_path_of_no_notifier_is_refused(path: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        import_notifier(path)


def test_a_notifiers_context_is_no_parameter_for_configs() -> None:
    signature = signature_of("windlass.dagfactory.notifiers.log.LogNotifier", "notifier")
    assert (signature.required, signature.open_ended) == (frozenset(), False)
    assert "context" not in signature.accepted
    assert issubclass(import_notifier("airflow.sdk.BaseNotifier"), BaseNotifier)
