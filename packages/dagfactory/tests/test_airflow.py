"""The bundle in a real Airflow: its metadata database, its dag processor, its command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from windlass_test_stand import Stand, airflow, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]
WriteConfig = Callable[..., Path]

NOBODY = 65534
GOOD = ("sales_daily_load_v1", "crm_daily_sync_v1")
BASH = "airflow.providers.standard.operators.bash.BashOperator"


@pytest.fixture
def stand(tmp_path: Path, database: Path, write_config: WriteConfig) -> Stand:
    stand = Stand(tmp_path, database)
    for name in ("sales_daily_load_v1", "crm_daily_sync_v1"):
        tasks = {
            "land": {"operator": BASH, "args": {"bash_command": "land.sh"}},
            "note": {"operator": "trial.note", "args": {"text": "done"}, "depends_on": ["land"]},
        }
        path = write_config(stand.configs, {"dag_id": name, "start_date": "2026-01-01", "tasks": tasks}, name)
        (path.parent / "land.sh").write_text("echo landed {{ ds }}\n")
    write_config(stand.configs, '{\n  "dag_id": "hr_daily_load_v1",\n  "tasks": {},\n}', "hr_daily_load_v1")
    return stand


BROKEN = "hr_daily_load_v1/dag.json.py"


def test_a_dag_runs_from_its_config(stand: Stand) -> None:
    done = airflow("dags", "test", "sales_daily_load_v1", environment=stand.environment)
    states = stand.query(
        "select task_id, state from task_instance where dag_id = 'sales_daily_load_v1' order by 1"
    )
    assert states == [("land", "success"), ("note", "success")]
    assert "landed 20" in done.stdout + done.stderr


def test_the_processor_follows_edits_errors_and_deletions(stand: Stand, write_config: WriteConfig) -> None:
    sales = stand.configs / "sales_daily_load_v1" / "dag.json"
    with stand.processor():
        until(lambda: len(stand.live()) == 2 and len(stand.errors()) == 1, "first parse")
        first_error = stand.errors()
        versions = stand.query("select count(*) from dag_version")

        sales.write_text(sales.read_text().replace('"done"', '"edited"'))
        until(lambda: "edited" in stand.sources()["sales_daily_load_v1"], "an edit")

        (sales.parent / "land.sh").write_text("echo changed\n")
        changed = "select count(*) from serialized_dag where data like '%echo changed%'"
        until(lambda: stand.query(changed) == [(1,)], "an edit of a file that the config names")

        config = json.loads(sales.read_text())
        write_config(stand.configs, config | {"dag_id": "hr_daily_load_v1"}, "hr_daily_load_v1")
        (stand.configs / "hr_daily_load_v1" / "land.sh").write_text("true\n")
        assert (
            stand.errors() == first_error
        )  # the same rows: the error did not flicker through all these refreshes
        until(lambda: not stand.errors() and len(stand.live()) == 3, "a correction")

        sales.unlink()
        until(lambda: stand.live() == {"crm_daily_sync_v1", "hr_daily_load_v1"}, "a deletion")
        assert stand.errors() == {}
        assert stand.query("select count(*) from dag_version where dag_id = 'crm_daily_sync_v1'") == [(1,)]
        assert versions == [(2,)]


def test_two_configs_of_one_dag_are_told_of_in_both(stand: Stand) -> None:
    twin = stand.configs / "copy" / "crm_daily_sync_v1"
    twin.mkdir(parents=True)
    (twin / "dag.json").write_text((stand.configs / "crm_daily_sync_v1" / "dag.json").read_text())
    airflow("dags", "reserialize", environment=stand.environment)
    errors = {file: error for file, (_, error) in stand.errors().items() if file != BROKEN}
    assert set(errors) == {"crm_daily_sync_v1/dag.json.py", "copy/crm_daily_sync_v1/dag.json.py"}
    assert all("WDF205" in error for error in errors.values())
    assert stand.live() == {"sales_daily_load_v1"}


REFRESH = """
import gc, os, sys
from windlass.dagfactory.bundle import ConfigDagBundle
bundle = ConfigDagBundle(name="examples", configs=sys.argv[1])
for dag_id in ("crm_daily_sync_v1", ""):
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id
    if not dag_id:
        del os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"]
    bundle.refresh()
    print("ready for forks", gc.get_freeze_count() > 0, "windlass.dagfactory.loader" in sys.modules)
"""


def test_the_dag_processor_makes_ready_for_its_forks_and_a_task_does_not(stand: Stand) -> None:
    told = stand.python(REFRESH, str(stand.configs)).stdout.splitlines()
    assert [line for line in told if line.startswith("ready")] == [
        "ready for forks False False",
        "ready for forks True True",
    ]


def test_airflow_knows_the_provider(stand: Stand) -> None:
    done = airflow("providers", "list", "--output", "json", environment=stand.environment)
    assert "windlass-dagfactory" in done.stdout
