from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pytest
from pydantic import ValidationError

from windlass.warehouse import specs

pytestmark = pytest.mark.unit

ALL = [
    specs.EXTRACT_LOAD,
    specs.INCREMENTAL_LOAD,
    specs.LOAD_FILE,
    specs.PUBLISH,
    specs.QUERY,
    specs.SCD2,
    specs.TRANSFORM,
]
MINIMAL: dict[str, dict[str, Any]] = {
    "warehouse.query": {"sql": "select 1"},
    "warehouse.extract_load": {"sql": "select 1", "table": "s.t"},
    "warehouse.incremental_load": {"sql": "select 1", "table": "s.t", "watermark": "at", "key": ["id"]},
    "warehouse.load_file": {"file": "a.csv", "table": "s.t"},
    "warehouse.transform": {"sql_file": "a.sql"},
    "warehouse.publish": {"sql_file": "a.sql", "table": "s.t", "source_table": "s.l", "key": ["id"]},
    "warehouse.scd2": {"sql_file": "a.sql", "table": "s.t", "key": ["id"]},
}


def test_every_spec_is_registered_under_its_name() -> None:
    registered = {
        entry.name: entry.load()
        for entry in entry_points(group="windlass.operators")
        if "warehouse" in entry.value
    }
    assert registered == {spec.name: spec for spec in ALL}


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_parameters_are_described_and_strict(spec: specs.OperatorSpec) -> None:
    given = MINIMAL[spec.name]
    model = spec.parameters.model_validate(given)
    assert model.model_dump(exclude_unset=True) == given
    assert all(item.get("description") for item in spec.parameters.model_json_schema()["properties"].values())
    for broken in ({**given, "nope": 1}, {**given, "conn_id": 5}, {}):
        with pytest.raises(ValidationError):
            spec.parameters.model_validate(broken)


@pytest.mark.parametrize(
    "name",
    ["warehouse.extract_load", "warehouse.incremental_load", "warehouse.transform", "warehouse.publish"],
)
def test_sql_is_given_once(name: str) -> None:
    spec = next(spec for spec in ALL if spec.name == name)
    for sql in ({}, {"sql": "select 1", "sql_file": "a.sql"}):
        rest = {key: value for key, value in MINIMAL[name].items() if not key.startswith("sql")}
        with pytest.raises(ValidationError, match="exactly one of sql and sql_file"):
            spec.parameters.model_validate(rest | sql)


def test_files_beside_the_config_are_marked_so() -> None:
    marked = {
        (spec.name, name)
        for spec in ALL
        for name, item in spec.parameters.model_json_schema()["properties"].items()
        if '"config-file"' in json.dumps(item)
    }
    assert marked == {
        ("warehouse.extract_load", "sql_file"),
        ("warehouse.incremental_load", "sql_file"),
        ("warehouse.load_file", "file"),
        ("warehouse.publish", "sql_file"),
        ("warehouse.query", "sql_file"),
        ("warehouse.scd2", "sql_file"),
        ("warehouse.transform", "sql_file"),
    }


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_the_operator_takes_every_parameter(
    spec: specs.OperatorSpec, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    module, _, name = spec.operator.rpartition(".")
    operator = getattr(import_module(module), name)
    given = dict.fromkeys(spec.parameters.model_fields) | MINIMAL[spec.name] | {"conn_id": "w"}
    task = operator(task_id="t", **given)
    assert set(task.template_fields) <= set(spec.parameters.model_fields)


def test_specs_import_neither_airflow_nor_a_driver() -> None:
    code = (
        "import sys, windlass.warehouse.specs; print([m for m in sys.modules if m in ('airflow', 'psycopg')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
