"""What the model says of mistakes inside alternatives, and where merged settings come from."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from windlass.dagfactory.model import DagConfig, SettingsMerger, setting_origins
from windlass.dagfactory.model.findings import model_findings

pytestmark = pytest.mark.unit


def found(**more: Any) -> list[tuple[str, tuple[str | int, ...], str | None]]:
    data = {"dag_id": "d", "tasks": {"a": {"operator": "x"}}, **more}
    with pytest.raises(ValidationError) as caught:
        DagConfig.model_validate(data)
    findings = model_findings(caught.value.errors(include_url=False), data)
    return [(finding.code.value, finding.path, finding.suggestion) for finding in findings]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"schedule": {"any": [{"asset": "a"}, {"all": [{"asset": "b", "ur": "c"}]}]}},
            ("WDF101", ("schedule", "any", 1, "all", 0, "ur"), 'did you mean "uri"?'),
        ),
        ({"schedule": {"evry": "6h"}}, ("WDF101", ("schedule", "evry"), 'did you mean "every"?')),
        (
            {"tasks": {"g": {"tasks": {"a": {"operator": "x", "retry": {"atempts": 1}}}}}},
            ("WDF101", ("tasks", "g", "tasks", "a", "retry", "atempts"), 'did you mean "attempts"?'),
        ),
        ({"tasks": {"g": {"tasks": {}}}}, ("WDF109", ("tasks", "g", "tasks"), None)),
        (
            {"tasks": {"a": {"operator": "x", "expand": {"p": "q"}}}},
            (
                "WDF103",
                ("tasks", "a", "expand", "p"),
                'write ["q"], or {"output_of": "q"} for what that task returns',
            ),
        ),
        (
            {"defaults": {"timeout": 60}},
            ("WDF103", ("defaults", "timeout"), 'write "60s" for seconds, or "60m" for minutes'),
        ),
        ({"max_active_runs": "3"}, ("WDF103", ("max_active_runs",), "write 3, without quotes")),
        ({"tags": "a"}, ("WDF103", ("tags",), 'write ["a"]')),
        (
            {"access_control": {"Viewer": ["can_raed"]}},
            ("WDF104", ("access_control", "Viewer", 0), 'did you mean "can_read"?'),
        ),
        (
            {"access_control": {"Viewer": {"DAG Runs": ["can_edit"]}}},
            (
                "WDF104",
                ("access_control", "Viewer", "DAG Runs", 0),
                'did you mean "can_read"?',
            ),
        ),
        (
            {"access_control": {"Viewer": {"Dags": ["can_read"]}}},
            ("WDF101", ("access_control", "Viewer", "Dags"), 'did you mean "DAGs"?'),
        ),
        (
            {"access_control": {"Viewer": "can_read"}},
            (
                "WDF103",
                ("access_control", "Viewer"),
                "write an array of what the role may do, or an object with DAGs and DAG Runs",
            ),
        ),
        ({"access_control": ["Viewer"]}, ("WDF103", ("access_control",), 'write {"Viewer": ["can_read"]}')),
        *(
            (
                {"defaults": {"run_as_user": user}},
                ("WDF104", ("defaults", "run_as_user"), "write the name of a user of the workers' machine"),
            )
            for user in ("-i", "a b", "a:b", "a\nb")
        ),
        ({"schema_version": True}, ("WDF103", ("schema_version",), "write 1")),
        ({"schema_version": 1.0}, ("WDF103", ("schema_version",), "write 1")),
        ({"schema_version": "1"}, ("WDF103", ("schema_version",), "write 1")),
        ({"schema_version": None}, ("WDF103", ("schema_version",), "write 1")),
        ({"schema_version": 0}, ("WDF108", ("schema_version",), "write 1")),
    ],
)
def test_a_mistake_in_an_alternative_stands_where_it_was_written(more: dict[str, Any], expected: Any) -> None:
    assert found(**more) == [expected]


@pytest.mark.parametrize("user", ["etl", "svc_etl$", "#1001", "etl.batch-1", "ETL\\etl", "etl@example.org"])
def test_users_are_named_as_sudo_names_them(user: str) -> None:
    task = {"operator": "x", "run_as_user": user}
    config = DagConfig.model_validate({"dag_id": "d", "tasks": {"a": task}})
    assert SettingsMerger(config).of(config.tasks["a"])["run_as_user"] == user  # type: ignore[arg-type]


def test_settings_and_their_origins_agree() -> None:
    data: dict[str, Any] = {
        "dag_id": "d",
        "owner": "data",
        "defaults": {
            "pool": "p",
            "retry": {"attempts": 3, "cap": "1m"},
            "operators": {"x": {"queue": "q", "args": {"a": 1, "b": 2}}},
        },
        "tasks": {
            "t": {"operator": "x", "pool": None, "retry": {"cap": None, "delay": "1s"}, "args": {"b": 3}}
        },
    }
    config = DagConfig.model_validate(data)
    settings = SettingsMerger(config).of(config.tasks["t"])  # type: ignore[arg-type]
    assert (settings["owner"], settings["queue"], settings["retry"]["attempts"]) == ("data", "q", 3)
    assert "pool" not in settings
    assert "cap" not in settings["retry"]
    assert setting_origins(data, ("tasks", "t")) == {
        ("owner",): ("owner",),
        ("retry", "attempts"): ("defaults", "retry", "attempts"),
        ("retry", "delay"): ("tasks", "t", "retry", "delay"),
        ("queue",): ("defaults", "operators", "x", "queue"),
        ("args", "a"): ("defaults", "operators", "x", "args", "a"),
        ("args", "b"): ("tasks", "t", "args", "b"),
    }
