"""What goes wrong with one config hurts that config only, in a real Airflow, and is told of steadily."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from windlass_test_stand import Stand, airflow, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]
WriteConfig = Callable[..., Path]

BASH = "airflow.providers.standard.operators.bash.BashOperator"
GOOD = {"sales_daily_load_v1", "crm_daily_sync_v1"}

POLICIES = """
import pathlib
from airflow.exceptions import AirflowClusterPolicyViolation


def dag_policy(dag):
    if "forbidden" in dag.dag_id:
        raise AirflowClusterPolicyViolation("DAGs of that name are against the rules here")
    if "vanishing" in dag.dag_id:  # Airflow has it parsed, and has not read its source yet
        pathlib.Path(dag.config_path).unlink(missing_ok=True)
"""


def sound(name: str, **task: Any) -> dict[str, Any]:
    tasks = {"run": {"operator": BASH, "args": {"bash_command": "echo ran"}, **task}}
    return {"dag_id": name, "start_date": "2026-01-01", "description": "Load the *day*.", "tasks": tasks}


@pytest.fixture
def stand(tmp_path: Path, database: Path, write_config: WriteConfig) -> Stand:
    stand = Stand(tmp_path, database)
    for name in GOOD | {"ops_forbidden_load_v1"}:
        write_config(stand.configs, sound(name), name)
    write_config(stand.configs, sound("ops_daily_run_v1", executor="NoSuchExecutor"), "ops_daily_run_v1")
    write_config(stand.configs, sound("hr_daily_load_v1") | {"shedule": None}, "hr_daily_load_v1")
    write_config(stand.configs, '{\n  "dag_id": "hr_daily_sync_v1",\n  "tasks": {},\n}', "hr_daily_sync_v1")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "airflow_local_settings.py").write_text(POLICIES)
    return stand


EXPECTED = {
    "ops_forbidden_load_v1/dag.json.py": "against the rules",
    "ops_daily_run_v1/dag.json.py": "executor 'NoSuchExecutor', which is not available",
    "hr_daily_load_v1/dag.json.py": 'WDF101: unknown key "shedule"',
    "hr_daily_sync_v1/dag.json.py": "hr_daily_sync_v1/dag.json:3:14: error WDF007",
}


def tree(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_each_fault_hurts_itself_only_and_stays_told(
    stand: Stand, tmp_path: Path, write_config: WriteConfig
) -> None:
    other = tmp_path / "other"  # a second bundle, with the same names
    write_config(other, "{", "hr_daily_sync_v1")
    write_config(other, sound("crm_hourly_sync_v1"), "crm_hourly_sync_v1")
    stand.use_bundles([stand.bundle("examples", stand.configs), stand.bundle("other", other)])
    live = GOOD | {"crm_hourly_sync_v1"}
    rows = "select bundle_name || '/' || filename, id from import_error"
    before = tree(stand.configs)
    with stand.processor():
        until(lambda: stand.live() == live, "the first parse")
        until(lambda: len(stand.query(rows)) == len(EXPECTED) + 1, "the first import errors")
        first = dict(stand.query(rows))
        assert set(first) == {"other/hr_daily_sync_v1/dag.json.py"} | {
            f"examples/{file}" for file in EXPECTED
        }
        errors = stand.errors()
        assert all(words in errors[file][1] for file, words in EXPECTED.items()), errors
        assert tree(stand.configs) == before  # nothing is ever written beside configs
        write_config(stand.configs, sound("ops_vanishing_load_v1"), "ops_vanishing_load_v1")
        gone = stand.configs / "ops_vanishing_load_v1" / "dag.json"
        until(lambda: not gone.exists(), "the config that is deleted while it is parsed")
        stub = stand.stubs / "ops_vanishing_load_v1" / "dag.json.py"
        until(lambda: not stub.exists(), "its stub is removed")
    with stand.processor():  # after a restart
        [(begun,)] = stand.query("select max(last_parsed_time) from dag")
        parsed = f"select dag_id from dag where last_parsed_time > '{begun}'"
        until(lambda: {row[0] for row in stand.query(parsed)} == live, "a parse after the restart")
        write_config(other, sound("hr_daily_sync_v1"), "hr_daily_sync_v1")
        until(lambda: stand.live() == live | {"hr_daily_sync_v1"}, "a correction in one of the two bundles")
        first.pop("other/hr_daily_sync_v1/dag.json.py")
        until(lambda: dict(stand.query(rows)) == first, "the other errors, the same rows as before")
        shutil.rmtree(other / "crm_hourly_sync_v1")
        until(lambda: stand.live() == GOOD | {"hr_daily_sync_v1"}, "a deletion")
    versions = dict(stand.query("select dag_id, count(*) from dag_version group by 1"))
    assert {name: versions[name] for name in stand.live()} == dict.fromkeys(stand.live(), 1)


def test_commands_serve_what_is_sound(stand: Stand, write_config: WriteConfig) -> None:
    airflow("dags", "reserialize", environment=stand.environment)
    assert stand.live() == GOOD
    config = json.loads((stand.configs / "sales_daily_load_v1" / "dag.json").read_text())
    respelled = json.dumps(dict(reversed(config.items())), indent="\t")
    write_config(stand.configs, respelled, "sales_daily_load_v1")
    airflow("dags", "reserialize", environment=stand.environment)
    errors = stand.errors()
    assert set(errors) == set(EXPECTED)
    assert all(words in errors[file][1] for file, words in EXPECTED.items()), errors
    assert stand.query("select count(*) from dag_version") == [(len(GOOD),)]
    assert stand.sources()["sales_daily_load_v1"] == respelled  # what the Code tab shows
    [(data,)] = stand.query("select data from serialized_dag where dag_id = 'sales_daily_load_v1'")
    doc = json.loads(data)["dag"]["doc_md"]  # what the docs tab shows
    assert doc.startswith("Load the *day*.\n\n| Task |")
    assert f"| `run` | `{BASH}` |" in doc
