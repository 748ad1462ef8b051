"""The JSON schema: it accepts what the model accepts, refuses what it refuses, and tells what each key is."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from windlass.dagfactory.catalog import Entry, catalog
from windlass.dagfactory.cli import app
from windlass.dagfactory.model import DagConfig
from windlass.dagfactory.reference.config import parts
from windlass.dagfactory.reference.examples import example_of
from windlass.dagfactory.schema import config_schema, defaults_schema
from windlass.dagfactory.schema.tidy import tidy

pytestmark = pytest.mark.unit

BROKEN = Path(__file__).parent / "broken"
runner = CliRunner()


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return catalog()


@pytest.fixture(scope="module")
def schema(entries: list[Entry]) -> dict[str, Any]:
    return config_schema(entries, closed=True)


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft7Validator:
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


NOTE = {"operator": "trial.note"}


def task(**more: Any) -> dict[str, Any]:
    return {"tasks": {"a": {**NOTE, **more}}}


FINE: list[dict[str, Any]] = [
    {},
    {"schedule": None, "start_date": "2026-01-01T06:00:00Z", "tags": ["a"], "catchup": True},
    {"schedule": {"every": "6h"}, "timezone": "Europe/Berlin"},
    {"schedule": {"any": [{"asset": "a"}, {"all": [{"asset": "b", "uri": "x:b"}, {"alias": "c"}]}]}},
    {"schedule": {"timetable": "shop.calendar.Workdays", "args": {"n": 1}}},
    {"params": {"n": 3, "m": {"type": "integer", "default": 1}}, "variables": ["REGION"]},
    {"defaults": {"timeout": "PT1H30M", "operators": {"trial.load_file": {"args": {"mode": "replace"}}}}},
    {"defaults": {"operators": {"shop.operators.Own": {"args": {"x": 1}, "pool": "p"}}}},
    {"dagrun_timeout": "${LIMIT}"},
    {"notify": {"on_failure": [{"notifier": "log", "args": {"message": "broken"}}]}},
    {"compensate": {"operator": "trial.note", "args": {"text": "undo"}}},
    task(retry={"attempts": 3, "delay": "0s", "jitter": False, "on": ["builtins.OSError"]}, pool=None),
    task(setup=True, outlets=[{"asset": "a"}, {"alias": "b"}]),
    task(expand={"text": ["a", "b"]}, map_index_template="{{ task.text }}"),
    task(expand_kwargs={"output_of": "b"}, teardown={"setups": ["b"], "on_failure_fail_dagrun": True}),
    {"tasks": {"g": {"tooltip": "x", "prefix_group_id": False, "tasks": {"h": {"tasks": {"a": NOTE}}}}}},
    {"tasks": {"a": {"operator": "shop.operators.Own", "args": {"anything": [1]}}}},
    {"tasks": {"a": {"operator": "trial.load_file", "args": {"mode": "append", "limits": {"x": 1}}}}},
]
WRONG: list[dict[str, Any]] = [
    {"shedule": None},
    {"dag_id": 5},
    {"dag_id": None},
    {"schedule": 5},
    {"schedule": {"every": "6 hours"}},
    {"schedule": {"any": []}},
    {"schedule": {"any": ["a"]}},
    {"schedule": {"asset": "a", "name": "b"}},
    {"start_date": "2 days ago"},
    {"start_date": "01.02.2026"},
    {"catchup": "yes"},
    {"max_active_runs": 0},
    {"max_active_runs": 1.5},
    {"schema_version": 2},
    {"tags": "a"},
    {"tasks": {}},
    {"tasks": []},
    {"tasks": {"a": {}}},
    {"tasks": {"a": []}},
    {"defaults": {"timeout": 5}},
    {"defaults": {"depends_on": []}},
    {"notify": {"on_retry": []}},
    {"notify": {"on_failure": [{"args": {}}]}},
    {"compensate": {}},
    task(timeout="0s"),
    task(timeout="5 minutes"),
    task(trigger_rule="all_don"),
    task(retry={"attempts": 0}),
    task(retry={"attempt": 3}),
    task(expand={}),
    task(expand={"text": "a"}),
    task(expand={"text": {"output_from": "b"}}),
    task(expand_kwargs=["a"]),
    task(teardown=[]),
    task(outlets=["a"]),
    task(priority_weight="high"),
    task(args=[]),
    {"tasks": {"g": {"tasks": {}}}},
    {"tasks": {"g": {"tasks": {"a": NOTE}, "operator": "trial.note"}}},
]
BASE: dict[str, Any] = {"dag_id": "sales_daily_load_v1", "tasks": {"a": NOTE}}


def accepted_by_model(config: dict[str, Any]) -> bool:
    if "${" in json.dumps(config):
        return True  # a variable is replaced before the model sees it
    try:
        DagConfig.model_validate(config)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("more", FINE)
def test_what_the_model_accepts_is_accepted(
    validator: jsonschema.Draft7Validator, more: dict[str, Any]
) -> None:
    config = BASE | more
    assert accepted_by_model(config)
    assert [error.message for error in validator.iter_errors(config)] == []


@pytest.mark.parametrize("more", WRONG)
def test_what_the_model_refuses_is_refused(
    validator: jsonschema.Draft7Validator, more: dict[str, Any]
) -> None:
    config = BASE | more
    assert not accepted_by_model(config)
    assert not validator.is_valid(config)


@pytest.mark.parametrize(
    "task",
    [
        {"operator": "trial.nte"},
        {"operator": "note"},
        {"operator": "trial.load_file", "args": {"flie": "x"}},
        {"operator": "trial.load_file", "args": {"file": 3}},
        {"operator": "trial.load_file", "args": {"mode": "merge"}},
        {"operator": "trial.load_file", "expand": {"flie": ["x"]}},
    ],
)
def test_operators_and_their_parameters_are_checked(
    validator: jsonschema.Draft7Validator, task: dict[str, Any]
) -> None:
    assert not validator.is_valid(BASE | {"tasks": {"a": task}})
    assert not validator.is_valid(BASE | {"tasks": {"g": {"tasks": {"a": task}}}})
    if "expand" not in task:
        assert not validator.is_valid(BASE | {"compensate": task})
    if "args" in task:
        defaults = {"operators": {task["operator"]: {"args": task["args"]}}}
        assert not validator.is_valid(BASE | {"defaults": defaults})


STRUCTURAL = [f"WDF{number}" for number in (101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 301, 303, 305)]


@pytest.mark.parametrize("code", STRUCTURAL)
def test_broken_configs_are_refused_by_the_schema_too(
    validator: jsonschema.Draft7Validator, code: str
) -> None:
    configs = sorted((BROKEN / code).glob("*.dag.json"))
    assert configs
    for path in configs:
        assert not validator.is_valid(json.loads(path.read_text())), path


def test_short_names_of_other_packages_are_left_open_where_they_may_be_installed(
    entries: list[Entry],
) -> None:
    config = BASE | {"tasks": {"a": {"operator": "acme.copy", "args": {"x": 1}}}}
    assert not jsonschema.Draft7Validator(config_schema(entries, closed=True)).is_valid(config)
    open_schema = jsonschema.Draft7Validator(config_schema(entries, closed=False))
    assert open_schema.is_valid(config)
    assert not open_schema.is_valid(BASE | {"tasks": {"a": {"operator": "acme"}}})


def test_defaults_may_say_all_but_what_makes_one_dag(entries: list[Entry]) -> None:
    schema = defaults_schema(entries, closed=True)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    assert validator.is_valid({})
    assert validator.is_valid({"$schema": "x", "timezone": "UTC", "defaults": {"pool": "p"}, "tags": ["a"]})
    for key in ("dag_id", "dag_display_name", "tasks"):
        assert not validator.is_valid({key: "x"})
    wrong = {"defaults": {"operators": {"trial.load_file": {"args": {"mode": "merge"}}}}}
    assert not validator.is_valid(wrong)


def undescribed(schema: dict[str, Any]) -> list[str]:
    owners = {"": schema, **schema["$defs"]}
    return [
        f"{owner}.{key}"
        for owner, definition in owners.items()
        if not owner.startswith(("operator.", "notifier."))  # their packages' own
        for key, value in definition.get("properties", {}).items()
        if "description" not in value
    ]


def test_every_key_says_what_it_is(schema: dict[str, Any]) -> None:
    assert undescribed({**schema, "properties": schema["properties"]}) == []


def test_references_lead_somewhere_and_nothing_is_left_over(schema: dict[str, Any]) -> None:
    for made in (schema, defaults_schema(catalog(), closed=True)):
        text = json.dumps(made)
        for name in made["$defs"]:
            assert f'"#/$defs/{name}"' in text, name
        for part in text.split('"#/$defs/')[1:]:
            assert part.partition('"')[0] in made["$defs"]


def test_required_parameters_are_offered_as_a_snippet(schema: dict[str, Any]) -> None:
    args = schema["$defs"]["operator.trial.load_file"]
    assert args["description"] == "Load a file.\n\nRequired: file, table."
    assert args["defaultSnippets"][0]["body"] == {"file": "$1", "table": "$2"}


def test_tidying_changes_no_meaning_and_no_data() -> None:
    given = {
        "title": "T",
        "default": None,
        "description": "one\ntwo\n\nthree",
        "properties": {"title": {"type": "string", "title": "Title"}},
        "oneOf": [{"anyOf": [{"enum": ["a"], "type": "string"}]}, {"type": "null"}],
        "examples": [{"title": "kept", "oneOf": 1}],
    }
    before = copy.deepcopy(given)
    assert tidy(given) == {
        "description": "one two\n\nthree",
        "properties": {"title": {"type": "string"}},
        "enum": ["a", None],
        "type": ["string", "null"],
        "examples": [{"title": "kept", "oneOf": 1}],
    }
    assert given == before


@pytest.mark.parametrize(
    ("name", "make"), [("dag", config_schema), ("defaults", defaults_schema)], ids=["dag", "defaults"]
)
def test_the_schemas_in_the_wheel_are_current(entries: list[Entry], name: str, make: Any) -> None:
    own = [entry for entry in entries if (entry.package or "").startswith("windlass-dagfactory ")]
    assert own
    made = json.dumps(make(own, closed=False), indent=1, ensure_ascii=False) + "\n"
    shipped = files("windlass.dagfactory.schema") / f"{name}.schema.json"
    if os.environ.get("WINDLASS_RECORD"):
        Path(str(shipped)).write_text(made, encoding="utf-8")
    assert shipped.read_text(encoding="utf-8") == made, "set WINDLASS_RECORD=1 and run this test"


def test_the_command_writes_what_is_installed(tmp_path: Path) -> None:
    result = runner.invoke(app, ["schema"])
    assert result.exit_code == 0
    assert "operator.trial.load_file" in json.loads(result.stdout)["$defs"]
    assert "left out trial.no_spec" in result.stderr
    out = tmp_path / "defaults.schema.json"
    result = runner.invoke(app, ["schema", "--defaults", "--out", str(out)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "tasks" not in json.loads(out.read_text())["properties"]


Place = tuple[str | int, ...]
OPEN = {"args", "operator", "notifier", "expand", "params", "operators"}  # the registry's to judge


def places(data: Any, path: Place = ()) -> Iterator[Place]:
    yield path
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield from places(value, (*path, key))


def altered(data: Any, path: Place, value: Any) -> Any:
    """Copy data with another value at a place, or with the place gone for Ellipsis."""
    if not path:
        return value
    copied = copy.copy(data)
    if len(path) == 1 and value is ...:
        del copied[path[0]]
    else:
        copied[path[0]] = altered(data[path[0]], path[1:], value)
    return copied


def test_any_change_is_judged_as_the_model_judges_it(validator: jsonschema.Draft7Validator) -> None:
    tried = 0
    for more in FINE:
        config = BASE | more
        for path in places(config):
            if not path or OPEN & set(path):
                continue
            for value in (5, "x", None, [], {}, True, -1, 1.5, {"a": 1}, "x" * 300, ...):
                changed = altered(config, path, value)
                if "${" not in json.dumps(changed):
                    tried += 1
                    assert validator.is_valid(changed) == accepted_by_model(changed), (path, value)
    assert tried > 1000


@pytest.mark.parametrize("name", parts())
def test_the_reference_s_examples_satisfy_the_schema(schema: dict[str, Any], name: str) -> None:
    definition = schema if name == "DagConfig" else schema["$defs"][name]
    own = jsonschema.Draft7Validator({**definition, "$defs": schema["$defs"]})
    for key, value in definition["properties"].items():
        example = example_of(name, key, value)
        found = [error for error in own.iter_errors({key: example}) if key in error.absolute_path]
        if not OPEN & {key} and key not in (
            "compensate",
            "tasks",
            "defaults",
        ):
            assert [error.message for error in found] == [], key
