"""Configs mutated at random: never a traceback, always a place, and found where it was done."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.dagfactory import ConfigFile, analyse_bytes, render_text
from windlass.dagfactory.diagnostics import Diagnostic
from windlass.dagfactory.diagnostics.sarif import to_sarif
from windlass.dagfactory.explain import explain

pytestmark = pytest.mark.unit

NAME = "sales_daily_load_v1"
SOUND: dict[str, Any] = {
    "$schema": "../dag.schema.json",
    "schema_version": 1,
    "dag_id": "sales_daily_load_v1",
    "description": "Land, check and publish.",
    "schedule": "0 5 * * *",
    "timezone": "Europe/Berlin",
    "start_date": "2026-01-01",
    "end_date": "2027-01-01T00:00:00+02:00",
    "catchup": False,
    "max_active_runs": 1,
    "max_active_tasks": 4,
    "tags": ["sales", "daily"],
    "owner": "data",
    "params": {"region": "eu", "limits": [1, 2.5, None]},
    "dagrun_timeout": "2h",
    "owner_links": {"data": "https://example.org"},
    "notify": {"on_failure": [{"notifier": "log", "args": {"message": "{{ run_id }} failed"}}]},
    "compensate": {"operator": "trial.run_sql", "args": {"sql": "delete from x"}},
    "variables": [],
    "defaults": {
        "operators": {"trial.note": {"pool": "notes", "args": {"text": "by {{ run_id }}"}}},
        "timeout": "10m",
        "retry": {"attempts": 3, "delay": "30s", "multiplier": 2, "cap": "5m"},
    },
    "tasks": {
        "land": {
            "operator": "trial.run_sql",
            "args": {"sql": "select 1", "parameters": {"a": 1}},
            "timeout": "1m",
        },
        "check": {
            "operator": "trial.note",
            "depends_on": ["land"],
            "trigger_rule": "all_done",
            "pool": "sql",
        },
        "publish": {
            "operator": "trial.note",
            "args": {"text": "x"},
            "depends_on": ["check", "land"],
            "retry": {"cap": "1m", "on": ["builtins.OSError"]},
            "notify": {"on_retry": [{"notifier": "log", "args": {"message": "{{ ti }}"}}]},
        },
        "each": {
            "tooltip": "One a region.",
            "depends_on": ["publish"],
            "tasks": {
                "ready": {"operator": "trial.note", "setup": True},
                "copy": {
                    "operator": "trial.run_sql",
                    "args": {"sql": "select {{ ds }} from {{ params.region }}"},
                    "expand": {"parameters": [{"a": 1}, {"a": 2}]},
                    "depends_on": ["ready"],
                    "outlets": [{"asset": "copies"}],
                },
                "clean": {"operator": "trial.note", "teardown": ["ready"], "depends_on": ["copy"]},
            },
        },
    },
}
YAML = ConfigFile("sales_daily_load_v1/dag.yaml", "/configs/sales_daily_load_v1/dag.yaml")
FILE = ConfigFile("sales_daily_load_v1/dag.json", "/configs/sales_daily_load_v1/dag.json")
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [
            "@daily",
            "a.b.C",
            "{{ x }}",
            "{{ ds",
            "${X}",
            "{% if %}",
            "../x",
            "land",
            "P1Y",
            "0 0 31 2 *",
            "America",
            "\x00",
            "\ud800",
        ]
    ),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(
        st.text(max_size=5), st.integers() | st.lists(st.text(max_size=2), max_size=2), max_size=3
    ),
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def diagnose(data: bytes, file: ConfigFile = FILE) -> list[Diagnostic]:
    found = analyse_bytes(data, file=file).diagnostics()
    render_text(found, colour=True).encode()
    json.dumps(to_sarif(found))
    lines = data.count(b"\n") + 1
    assert all(1 <= diagnostic.line <= lines and diagnostic.column >= 1 for diagnostic in found)
    return found


def test_the_config_to_be_mutated_is_sound() -> None:
    assert diagnose(json.dumps(SOUND).encode()) == []


def mutated(data: st.DataObject) -> dict[str, Any]:
    """Replace, remove, rename or add something at a few places of the sound config."""
    config = copy.deepcopy(SOUND)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([path for path in places(config) if path]))
        parent = config
        for part in place[:-1]:
            parent = parent[part]  # type: ignore[index]
        key: Any = place[-1]
        match data.draw(st.sampled_from(["replace", "remove", "rename", "add"])):
            case "replace":
                parent[key] = data.draw(ODD)
            case "remove":
                del parent[key]
            case "rename" if isinstance(parent, dict):
                parent[data.draw(st.text(max_size=8))] = parent.pop(key)
            case "add" if isinstance(parent, dict):
                parent[data.draw(st.text(max_size=8))] = data.draw(ODD)
        if not isinstance(config, dict) or not [path for path in places(config) if path]:
            break
    return config


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_mutated_structure_never_raises(data: st.DataObject) -> None:
    config = mutated(data)
    diagnose(json.dumps(config, indent=data.draw(st.sampled_from([None, 1]))).encode())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_structure_in_yaml_never_raises(data: st.DataObject) -> None:
    text = yaml.safe_dump(mutated(data), sort_keys=False, allow_unicode=True)
    diagnose(text.encode("utf-8", "replace"), YAML)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_folders_mutated_defaults_never_raise(data: st.DataObject) -> None:
    defaults = mutated(data)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "defaults.json").write_text(json.dumps(defaults, indent=1))
        file = ConfigFile(f"{NAME}.dag.json", f"{folder}/{NAME}.dag.json")
        analysis = analyse_bytes(json.dumps(SOUND, indent=1).encode(), file=file)
        render_text(analysis.diagnostics())
        for origin in explain(analysis):
            assert origin.kind == "windlass" or (origin.line or 0) >= 1


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 12), st.binary(max_size=6), st.booleans())
def test_mutated_bytes_never_raise(at: int, removed: int, added: bytes, as_yaml: bool) -> None:
    text = (yaml.safe_dump(SOUND, sort_keys=False) if as_yaml else json.dumps(SOUND, indent=1)).encode()
    diagnose(text[:at] + added + text[at + removed :], YAML if as_yaml else FILE)


def keys_with_meaning() -> list[tuple[str | int, ...]]:
    """All keys but those that users choose, as params, ids and bound parameters, and an open spec's args."""
    copies = ("tasks", "each", "tasks", "copy")
    chosen = {
        ("params",),
        ("owner_links",),
        ("defaults", "operators", "trial.note", "args"),
        ("tasks",),
        ("tasks", "land", "args", "parameters"),
        ("tasks", "publish", "args"),
        ("tasks", "each", "tasks"),
        *((*copies, "expand", "parameters", index) for index in (0, 1)),
        (*copies, "outlets", 0),  # without "asset" it is none at all
    }
    named = [path for path in places(SOUND) if path and isinstance(path[-1], str)]
    return [path for path in named if path[:-1] not in chosen]


@pytest.mark.parametrize("place", keys_with_meaning(), ids=lambda place: ".".join(map(str, place)))
def test_an_unknown_key_is_reported_at_its_line(place: tuple[str | int, ...]) -> None:
    config = copy.deepcopy(SOUND)
    parent: Any = config
    for part in place[:-1]:
        parent = parent[part]
    parent["zzz_unknown"] = parent.pop(place[-1])
    for file, text in ((FILE, json.dumps(config, indent=1)), (YAML, yaml.safe_dump(config))):
        line = next(number for number, row in enumerate(text.splitlines(), 1) if "zzz_unknown" in row)
        found = diagnose(text.encode(), file)
        assert (line, "zzz_unknown") in {
            (diagnostic.line, diagnostic.path.rpartition(".")[2]) for diagnostic in found
        }
