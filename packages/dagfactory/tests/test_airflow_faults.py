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
    write_config(stand.configs, "{", "hr_daily_sync_v1")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "airflow_local_settings.py").write_text(POLICIES)
    return stand


EXPECTED = {
    "ops_forbidden_load_v1/dag.json.py": "against the rules",
    "ops_daily_run_v1/dag.json.py": "executor 'NoSuchExecutor', which is not available",
    "hr_daily_load_v1/dag.json.py": 'WDF101: unknown key "shedule"',
    "hr_daily_sync_v1/dag.json.py": "hr_daily_sync_v1/dag.json:1:",
}


def tree(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_each_fault_hurts_itself_only_and_stays_told(stand: Stand, write_config: WriteConfig) -> None:
    before = tree(stand.configs)
    with stand.processor():
        until(lambda: stand.live() == GOOD and len(stand.errors()) == len(EXPECTED), "the first parse")
        first = stand.errors()
        assert set(first) == set(EXPECTED)
        assert all(words in first[file][1] for file, words in EXPECTED.items()), first
        assert tree(stand.configs) == before  # nothing is ever written beside configs
        write_config(stand.configs, sound("ops_vanishing_load_v1"), "ops_vanishing_load_v1")
        gone = stand.configs / "ops_vanishing_load_v1" / "dag.json"
        until(lambda: not gone.exists(), "the config that is deleted while it is parsed")
        stub = stand.stubs / "ops_vanishing_load_v1" / "dag.json.py"
        until(lambda: not stub.exists(), "its stub is removed")
    with stand.processor():  # after a restart
        parsed = "select count(*) from dag where last_parsed_time > '{}'"
        [(begun,)] = stand.query("select max(last_parsed_time) from dag")
        until(lambda: stand.query(parsed.format(begun)) == [(len(GOOD),)], "a parse after the restart")
        write_config(stand.configs, sound("hr_daily_sync_v1"), "hr_daily_sync_v1")
        until(lambda: stand.live() == GOOD | {"hr_daily_sync_v1"}, "a correction")
        assert {file: row for file, row in first.items() if "sync" not in file} == stand.errors()
    versions = dict(stand.query("select dag_id, count(*) from dag_version group by 1"))
    assert {name: versions[name] for name in stand.live()} == dict.fromkeys(GOOD | {"hr_daily_sync_v1"}, 1)


def test_commands_serve_what_is_sound(stand: Stand, write_config: WriteConfig) -> None:
    airflow("dags", "reserialize", environment=stand.environment)
    assert stand.live() == GOOD
    config = json.loads((stand.configs / "sales_daily_load_v1" / "dag.json").read_text())
    respelled = json.dumps(dict(reversed(config.items())), indent="\t")
    write_config(stand.configs, respelled, "sales_daily_load_v1")
    done = airflow("dags", "reserialize", environment=stand.environment)
    assert done.returncode == 0
    assert set(stand.errors()) == set(EXPECTED)
    assert stand.query("select count(*) from dag_version") == [(len(GOOD),)]
    assert stand.sources()["sales_daily_load_v1"] == respelled  # what the Code tab shows
    [(data,)] = stand.query("select data from serialized_dag where dag_id = 'sales_daily_load_v1'")
    doc = json.loads(data)["dag"]["doc_md"]  # what the docs tab shows
    assert doc.startswith("Load the *day*.\n\n| Task |")
    assert f"| `run` | `{BASH}` |" in doc
    assert airflow("dags", "test", "crm_daily_sync_v1", environment=stand.environment).returncode == 0
    states = "select task_id, state from task_instance where dag_id = 'crm_daily_sync_v1'"
    assert stand.query(states) == [("run", "success")]


def test_two_bundles_with_the_same_names_keep_apart(
    stand: Stand, tmp_path: Path, write_config: WriteConfig
) -> None:
    other = tmp_path / "other"
    write_config(other, "{", "hr_daily_sync_v1")
    write_config(other, sound("crm_hourly_sync_v1"), "crm_hourly_sync_v1")
    bundles = [stand.bundle("examples", stand.configs), stand.bundle("other", other)]
    stand.use_bundles(bundles)
    rows = "select bundle_name from import_error where filename = 'hr_daily_sync_v1/dag.json.py' order by 1"
    with stand.processor():
        until(lambda: stand.query(rows) == [("examples",), ("other",)], "an error for each of the two")
        until(lambda: stand.live() == GOOD | {"crm_hourly_sync_v1"}, "the DAGs of both")
        write_config(other, sound("hr_daily_sync_v1"), "hr_daily_sync_v1")
        until(lambda: stand.query(rows) == [("examples",)], "a correction in one of the two")
        shutil.rmtree(other / "crm_hourly_sync_v1")
        until(lambda: stand.live() == GOOD | {"hr_daily_sync_v1"}, "a deletion")
