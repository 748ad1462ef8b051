"""The hash of a DAG follows what its config means, and nothing else: a new hash is a new DAG version."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import time_machine
from airflow.dag_processing.processor import DagFileParseRequest, _parse_file

from windlass.dagfactory import StubFolder

pytestmark = pytest.mark.integration

NAME = "sales_daily_load_v1"
BASH = "airflow.providers.standard.operators.bash.BashOperator"
DATES = "airflow.providers.standard.sensors.date_time.DateTimeSensor"

CONFIG: dict[str, Any] = {
    "$schema": "../../dag.schema.json",
    "dag_id": NAME,
    "description": "Land and publish.",
    "schedule": "0 5 * * *",
    "timezone": "Europe/Berlin",
    "start_date": "2026-01-01",
    "end_date": "2027-06-30T12:00:00",
    "catchup": False,
    "tags": ["sales", "daily"],
    "owner": "team",
    "params": {
        "region": {"type": "string", "default": "DE", "order": 1},
        "shop": {"type": "integer", "default": 4, "order": 2},
        "days": [1, 2],
        "limits": {"low": 1, "high": 2},
    },
    "dagrun_timeout": "4h",
    "defaults": {"timeout": "10m", "retry": {"attempts": 3, "delay": "30s", "multiplier": 2, "cap": "5m"}},
    "tasks": {
        "land": {"operator": BASH, "args": {"bash_command": "land.sh", "env": {"B": "2", "A": "{{ ds }}"}}},
        "wait": {"operator": DATES, "args": {"target_time": "{{ logical_date }}"}, "depends_on": ["land"]},
        "check": {"operator": "trial.note", "args": {"text": "checked"}, "depends_on": ["land"]},
        "done": {
            "operator": BASH,
            "args": {"bash_command": "echo done"},
            "depends_on": ["wait", "check"],
            "trigger_rule": "none_failed",
            "retry": {"attempts": 5},
            "doc_md": "Says so.",
        },
    },
}


def parse(folder: Path, text: str, *, script: str = "echo landed\n") -> str:
    """Parse a config as the dag processor does, stub and all; return the hash that Airflow compares."""
    place = folder / "configs" / NAME
    place.mkdir(parents=True, exist_ok=True)
    (place / "land.sh").write_text(script)
    (place / "dag.json").write_text(text)
    stubs = StubFolder(folder / "configs", folder / "stubs")
    stubs.sync()
    stub = stubs.stubs / NAME / "dag.json.py"
    request = DagFileParseRequest(file=str(stub), bundle_path=stubs.stubs, bundle_name="examples")
    result = _parse_file(request, structlog.get_logger())
    assert result is not None
    assert result.import_errors == {}
    [dag] = result.serialized_dags
    found = dag.hash
    assert isinstance(found, str)
    return found


def written(config: dict[str, Any]) -> str:
    return json.dumps(config, indent=2)


def reversed_keys(value: Any) -> Any:
    """The same data with the keys of all objects in reverse; arrays stay, as their order means something."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hash")


@pytest.fixture(scope="module")
def expected(folder: Path) -> str:
    return parse(folder, written(CONFIG))


def test_days_pass_without_a_new_version(folder: Path, expected: str) -> None:
    begin = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    moments = [begin + timedelta(days=days, hours=days) for days in (0, 1, 29, 86, 87, 300, 365, 700)]
    seen = set()
    for moment in moments:  # two of them either side of the change to summer time
        with time_machine.travel(moment):
            seen.add(parse(folder, written(CONFIG)))
    assert seen == {expected}


def test_spelling_makes_no_new_version(folder: Path, expected: str) -> None:
    spellings = {
        "order of keys": written(reversed_keys(CONFIG)),
        "order of params": written(CONFIG | {"params": dict(sorted(CONFIG["params"].items()))}),
        "numbers of the same order": written(
            CONFIG | {"params": CONFIG["params"] | {"shop": {"type": "integer", "default": 4, "order": 7}}}
        ),
        "one line": json.dumps(CONFIG, separators=(",", ":")),
        "tabs and line ends": json.dumps(CONFIG, indent="\t").replace("\n", "\r\n"),
        "escapes": written(CONFIG).replace("sales", "s\\u0061les"),
        "schema for the editor": written(CONFIG | {"$schema": "https://example.org/other.json"}),
        "schema version": written(CONFIG | {"schema_version": 1}),
        "a default that is written out": written(CONFIG | {"max_active_tasks": 16}),
        "durations": written(CONFIG | {"dagrun_timeout": "PT240M"}),
        "dates": written(CONFIG | {"start_date": "2026-01-01T00:00:00+01:00"}),
        "order of tags": written(CONFIG | {"tags": ["daily", "sales"]}),
    }
    for what, text in spellings.items():
        assert parse(folder, text) == expected, what


def test_the_order_of_dependencies_makes_no_new_version(folder: Path, expected: str) -> None:
    config = copy.deepcopy(CONFIG)
    config["tasks"]["done"]["depends_on"].reverse()
    assert parse(folder, written(config)) == expected


def test_another_folder_makes_no_new_version(tmp_path: Path, expected: str) -> None:
    assert parse(tmp_path / "else where", written(CONFIG)) == expected


HASH = """
import importlib.util, pathlib, sys
specification = importlib.util.spec_from_file_location("test_hash", sys.argv[1])
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
print("hash", module.parse(pathlib.Path(sys.argv[2]), module.written(module.CONFIG)))
"""


def test_another_process_makes_no_new_version(tmp_path: Path, expected: str) -> None:
    environments = [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "20", "HOME": str(tmp_path)},
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HASH, __file__, str(tmp_path / str(number))],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, environment in enumerate(environments)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert output.splitlines()[-1] == f"hash {expected}"


def changes() -> Iterator[tuple[str, Callable[[dict[str, Any]], Any]]]:
    """Name every value of the config that means something, with a change of it."""
    top: dict[str, Any] = {
        "description": "Land and publish it.",
        "schedule": "0 6 * * *",
        "timezone": "Europe/London",
        "start_date": "2026-01-02",
        "end_date": "2027-07-01",
        "catchup": True,
        "tags": ["sales"],
        "owner": "others",
        "params": CONFIG["params"] | {"days": [2, 1]},
        "dagrun_timeout": "5h",
        "max_active_runs": 3,
        "max_active_tasks": 3,
        "doc_md": "Other.",
        "defaults": {"timeout": "11m"},
    }
    for key, value in top.items():
        yield key, lambda config, key=key, value=value: config.update({key: value})
    yield "order in the form", lambda config: config["params"]["shop"].update(order=0)
    done: dict[str, Any] = {
        "args": {"bash_command": "echo DONE"},
        "depends_on": ["wait"],
        "trigger_rule": "all_done",
        "retry": {"attempts": 4},
        "doc_md": "Tells so.",
        "pool": "other",
        "priority_weight": 7,
        "timeout": "1m",
    }
    for key, value in done.items():
        yield f"done.{key}", lambda config, key=key, value=value: config["tasks"]["done"].update({key: value})
    yield "a task more", lambda config: config["tasks"].update(more={"operator": "trial.note"})
    yield "a task less", lambda config: config["tasks"].pop("done")


def test_every_change_of_meaning_makes_a_version(folder: Path, expected: str) -> None:
    seen = {"as it is": expected}
    for what, change in changes():
        config = copy.deepcopy(CONFIG)
        change(config)
        seen[what] = parse(folder, written(config))
    seen["the script"] = parse(folder, written(CONFIG), script="echo changed\n")
    same = [what for what, found in seen.items() if list(seen.values()).count(found) > 1]
    assert same == []
