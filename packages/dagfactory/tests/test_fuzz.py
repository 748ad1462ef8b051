"""Configs mutated at random: never a traceback, always a place, and found where it was done."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.dagfactory import ConfigFile, analyse_bytes, render_text
from windlass.dagfactory.diagnostics import Diagnostic
from windlass.dagfactory.diagnostics.sarif import to_sarif

pytestmark = pytest.mark.unit

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
    "defaults": {"timeout": "10m", "retry": {"attempts": 3, "delay": "30s", "multiplier": 2, "cap": "5m"}},
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
            "retry": {"cap": "1m"},
        },
    },
}
FILE = ConfigFile("sales_daily_load_v1/dag.json", "/configs/sales_daily_load_v1/dag.json")
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["@daily", "a.b.C", "{{ x }}", "../x", "land", "P1Y", "0 0 31 2 *", "America", "\x00", "\ud800"]
    ),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(
        st.text(max_size=5), st.integers() | st.lists(st.text(max_size=2), max_size=2), max_size=3
    ),
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def diagnose(data: bytes) -> list[Diagnostic]:
    found = analyse_bytes(data, file=FILE).diagnostics()
    render_text(found, colour=True).encode()
    json.dumps(to_sarif(found))
    lines = data.count(b"\n") + 1
    assert all(1 <= diagnostic.line <= lines and diagnostic.column >= 1 for diagnostic in found)
    return found


def test_the_config_to_be_mutated_is_sound() -> None:
    assert diagnose(json.dumps(SOUND).encode()) == []


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_mutated_structure_never_raises(data: st.DataObject) -> None:
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
    diagnose(json.dumps(config, indent=data.draw(st.sampled_from([None, 1]))).encode())


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 12), st.binary(max_size=6))
def test_mutated_bytes_never_raise(at: int, removed: int, added: bytes) -> None:
    text = json.dumps(SOUND, indent=1).encode()
    diagnose(text[:at] + added + text[at + removed :])


def keys_with_meaning() -> list[tuple[str | int, ...]]:
    """All keys but those that users choose: params, task ids, bound parameters, an open spec's args."""
    chosen = (("params",), ("tasks", "land", "args", "parameters"), ("tasks", "publish", "args"))
    named = [path for path in places(SOUND) if path and isinstance(path[-1], str)]
    return [path for path in named if path[:-1] not in chosen and path[:-1] != ("tasks",)]


@pytest.mark.parametrize("place", keys_with_meaning(), ids=lambda place: ".".join(map(str, place)))
def test_an_unknown_key_is_reported_at_its_line(place: tuple[str | int, ...]) -> None:
    config = copy.deepcopy(SOUND)
    parent: Any = config
    for part in place[:-1]:
        parent = parent[part]
    parent["zzz_unknown"] = parent.pop(place[-1])
    text = json.dumps(config, indent=1)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if '"zzz_unknown"' in row)
    found = diagnose(text.encode())
    assert (line, "zzz_unknown") in {
        (diagnostic.line, diagnostic.path.rpartition(".")[2]) for diagnostic in found
    }
