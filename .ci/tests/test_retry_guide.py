"""The page on retries and failures: its configs are sound, its Python runs and does what is said of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from windlass.dagfactory.discovery import discover
from windlass.dagfactory.validation import validate_configs
from windlass.warehouse.testing.airflow import RunDag

pytestmark = pytest.mark.integration

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "retry-and-failure.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert found
    return found


def test_no_block_is_of_another_language() -> None:
    assert set(re.findall(r"^```(\w+)$", PAGE, flags=re.MULTILINE)) == {"json", "python"}


def test_what_the_page_writes_into_a_config_is_sound(tmp_path: Path) -> None:
    keys = set()
    for number, block in enumerate(blocks("json")):
        settings: dict[str, Any] = json.loads(f"{{{block}}}")
        keys |= set(settings)
        work = {"operator": "airflow.bash", "args": {"bash_command": "load.sh "}, **settings}
        name = f"retry_guide{number}_load_v1"
        config = {"dag_id": name, "start_date": "2026-01-01", "tasks": {"load": work}}
        if "compensate" in settings:  # "or at the top for the run"
            config |= settings
        (tmp_path / f"{name}.dag.json").write_text(json.dumps(config))
    assert keys == {"retry", "compensate"}
    assert [diagnostic.message for diagnostic in validate_configs(discover(tmp_path).configs)[1]] == []


def test_what_the_page_writes_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_dag: RunDag, capfd: pytest.CaptureFixture[str]
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"load.sh": "exit 3", "undo.sh": f'echo "$@" >> {tmp_path}/undone'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{Path('/bin')}:{Path('/usr/bin')}")
    for number, block in enumerate(blocks("python")):
        with DAG(f"retry_guide{number}_load_v1", schedule=None) as dag:
            exec(block, {})
        assert dag.task_ids == ["load"]
        # Of a script's failure the policy says that it is not one to try again for.
        assert run_dag(dag).states == {"load": "failed"}
    assert (tmp_path / "undone").read_text() == "load\n"
    told = capfd.readouterr()
    assert "is not retried: on names ConnectionError, psycopg.OperationalError only" in told.out + told.err
