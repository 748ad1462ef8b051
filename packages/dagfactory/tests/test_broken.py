"""One broken config for each error code, with what is to be reported beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from windlass.dagfactory.diagnostics import CODES
from windlass.dagfactory.discovery import ConfigFile, discover
from windlass.dagfactory.validation import validate_configs

pytestmark = pytest.mark.integration  # class paths import Airflow

BROKEN = Path(__file__).parent / "broken"
CASES = sorted(folder.name for folder in BROKEN.iterdir())
MADE_HERE = {
    "WDF001",
    "WDF002",
    "WDF601",
}  # a loop of links, a file of 1 MiB, an Airflow that is set up wrong


def reported(folder: Path) -> list[dict[str, object]]:
    files = [ConfigFile(config.name, config.path) for config in discover(folder).configs]
    return [diagnostic.as_dict() for diagnostic in validate_configs(files)[1]]


@pytest.mark.parametrize("case", CASES)
def test_a_broken_config_is_reported_as_expected(case: str) -> None:
    expected = BROKEN / case / "expected.json"
    found = reported(BROKEN / case)
    if os.environ.get("WINDLASS_RECORD"):
        expected.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(expected.read_text())


@pytest.mark.parametrize("case", CASES)
def test_a_broken_config_shows_its_own_code(case: str) -> None:
    assert case in {
        diagnostic["code"] for diagnostic in json.loads((BROKEN / case / "expected.json").read_text())
    }


def test_every_code_has_a_broken_config() -> None:
    assert {*CASES, *MADE_HERE} == {code.value for code in CODES}


def test_a_loop_of_links_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "sales_daily_load_v1.dag.json"
    path.symlink_to(path)
    [found] = validate_configs([ConfigFile(path.name, str(path))])[1]
    assert (found.code, found.line, found.column) == ("WDF001", 1, 1)
    assert "symbolic links" in found.message


def test_an_airflow_that_is_set_up_wrong_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from windlass.dagfactory.build import airflow_settings

    bash = {
        "operator": "airflow.providers.standard.operators.bash.BashOperator",
        "args": {"bash_command": "true"},
    }
    config = {"dag_id": "sales_daily_load_v1", "tasks": {"run": bash}}
    (tmp_path / "sales_daily_load_v1.dag.json").write_text(json.dumps(config))
    monkeypatch.setenv("AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG", "many")
    airflow_settings.int_setting.cache_clear()
    try:
        [found] = reported(tmp_path)
    finally:
        airflow_settings.int_setting.cache_clear()
    assert (found["code"], found["line"], found["column"]) == ("WDF601", 1, 1)
    assert "max_active_runs_per_dag" in str(found["message"])


def test_a_file_over_one_mebibyte_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "sales_daily_load_v1.dag.json"
    path.write_bytes(b"{" + b" " * 1024 * 1024)
    [found] = reported(tmp_path)
    assert (found["code"], found["line"], found["column"]) == ("WDF002", 1, 1)
