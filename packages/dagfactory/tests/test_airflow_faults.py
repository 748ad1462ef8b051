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
        write_config(stand.configs, sound("hr_daily_sync_v1"), "hr_daily_sync_v1")
        until(lambda: stand.live() == live | {"hr_daily_sync_v1"}, "a correction in one of the two bundles")
        first.pop("examples/hr_daily_sync_v1/dag.json.py")
        until(lambda: dict(stand.query(rows)) == first, "the other errors, the same rows as before")
        shutil.rmtree(other / "crm_hourly_sync_v1")
        until(lambda: stand.live() == GOOD | {"hr_daily_sync_v1"}, "a deletion")
    versions = dict(stand.query("select dag_id, count(*) from dag_version group by 1"))
    assert {name: versions[name] for name in stand.live()} == dict.fromkeys(stand.live(), 1)


def test_a_dag_id_in_two_bundles_is_served_by_the_first_and_told_of_in_the_second(
    stand: Stand, tmp_path: Path, write_config: WriteConfig
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_config(first, sound("hr_daily_load_v1"), "hr_daily_load_v1")
    for name in ("sales_daily_load_v1", "crm_daily_sync_v1"):
        write_config(second, sound(name) | {"description": "of the second"}, name)
    stand.use_bundles([stand.bundle("first", first), stand.bundle("second", second)])
    served = "select bundle_name, dag_id, has_import_errors from dag where not is_stale order by 1, 2"
    rows = "select bundle_name, filename, id from import_error"
    versions = "select count(*) from dag_version where dag_id = 'sales_daily_load_v1'"
    hr, crm = ("first", "hr_daily_load_v1", 0), ("second", "crm_daily_sync_v1", 0)
    apart = [hr, crm, ("second", "sales_daily_load_v1", 0)]
    with stand.processor():
        until(lambda: stand.query(served) == apart, "the first parse")
        write_config(first, sound("sales_daily_load_v1"), "sales_daily_load_v1")
        until(
            lambda: stand.query(served) == [hr, ("first", "sales_daily_load_v1", 0), crm],
            "the DAG goes to the bundle that is listed first",
        )
        until(lambda: len(stand.query(rows)) == 1, "the error of the other")
        told = stand.query(rows)
        [(bundle, file, _)] = told
        assert (bundle, file) == ("second", "sales_daily_load_v1/dag.json.py")
        text = stand.errors()[file][1]
        assert "sales_daily_load_v1/dag.json:2:13: error WDF205: this DAG id is claimed by" in text
        assert "sales_daily_load_v1/dag.json in the bundle 'first', which is listed first, too" in text
        write_config(second, sound("crm_daily_sync_v1"), "crm_daily_sync_v1")
        edited = "select description from dag where dag_id = 'crm_daily_sync_v1'"
        until(lambda: stand.query(edited) == [("Load the *day*.",)], "an edit beside it")
        assert stand.query(rows) == told
        count = stand.query(versions)
        airflow("dags", "reserialize", environment=stand.environment)
        assert (stand.query(rows), stand.query(versions)) == (told, count)
        shutil.rmtree(first / "sales_daily_load_v1")
        until(
            lambda: stand.query(served) == apart,
            "the DAG goes back when the first gives it up",
        )
        until(lambda: stand.query(rows) == [], "no error is left")


def test_commands_serve_what_is_sound(stand: Stand, write_config: WriteConfig) -> None:
    def command(*arguments: str, check: bool = True) -> str:
        done = airflow(*arguments, environment=stand.environment, check=check)
        assert (done.returncode == 0) is check
        return done.stdout + done.stderr

    write_config(stand.configs, sound("hr_hourly_load_v1"), "hr_hourly_load_v1")
    command("dags", "reserialize")
    assert stand.live() == GOOD | {"hr_hourly_load_v1"}
    shutil.rmtree(stand.configs / "hr_hourly_load_v1")
    config = json.loads((stand.configs / "sales_daily_load_v1" / "dag.json").read_text())
    respelled = json.dumps(dict(reversed(config.items())), indent="\t")
    write_config(stand.configs, respelled, "sales_daily_load_v1")
    write_config(stand.configs, sound("hr_daily_run_v1"), "hr_daily_run_v1")
    command("dags", "test", "hr_daily_run_v1")  # no dag processor has seen it, nor the deletion
    assert stand.query("select dag_id, state from task_instance") == [("hr_daily_run_v1", "success")]
    told = command("dags", "test", "hr_daily_load_v1", check=False)
    assert 'hr_daily_load_v1/dag.json:13:3: error WDF101: unknown key "shedule"' in told
    told = command("dags", "list-import-errors", "--output", "json", check=False)  # fails where there are any
    [listed] = (json.loads(line) for line in told.splitlines() if line.startswith("[{"))
    assert {error["filepath"] for error in listed} == set(EXPECTED)
    assert all(EXPECTED[error["filepath"]] in error["error"] for error in listed)
    versions = dict(stand.query("select dag_id, count(*) from dag_version group by 1"))
    assert {versions[name] for name in GOOD} == {1}
    assert stand.sources()["sales_daily_load_v1"] == respelled  # what the Code tab shows
    [(data,)] = stand.query("select data from serialized_dag where dag_id = 'sales_daily_load_v1'")
    doc = json.loads(data)["dag"]["doc_md"]  # what the docs tab shows
    assert doc.startswith("Load the *day*.\n\n| Task |")
    assert f"| `run` | `{BASH}` |" in doc
