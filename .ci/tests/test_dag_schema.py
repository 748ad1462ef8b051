"""Every example satisfies the schema that editors use, with all packages installed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from windlass.dagfactory.catalog import catalog
from windlass.dagfactory.schema import config_schema

pytestmark = pytest.mark.unit

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CONFIGS = sorted(
    path for path in EXAMPLES.rglob("*.json") if path.name == "dag.json" or path.match("*.dag.json")
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(config_schema(catalog(), closed=True))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_satisfies_the_schema(validator: jsonschema.Draft7Validator, path: Path) -> None:
    found = validator.iter_errors(json.loads(path.read_text(encoding="utf-8")))
    assert [f"{error.json_path}: {error.message}" for error in found] == []


def test_the_schema_that_examples_name_is_current() -> None:
    entries = [
        entry
        for entry in catalog()
        if (entry.package or "").startswith("windlass-") and "test" not in str(entry.package)
    ]
    made = json.dumps(config_schema(entries, closed=True), indent=2, ensure_ascii=False) + "\n"
    path = EXAMPLES / "dag.schema.json"
    if os.environ.get("WINDLASS_RECORD"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made, "set WINDLASS_RECORD=1 and run this test"
    for config in CONFIGS:
        named = json.loads(config.read_text(encoding="utf-8"))["$schema"]
        assert (config.parent / named).resolve() == path


def test_there_are_examples() -> None:
    assert len(CONFIGS) > 3
