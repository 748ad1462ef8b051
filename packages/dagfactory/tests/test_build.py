"""DAGs built from configs, by Airflow's own classes and serialization."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from airflow.sdk import DAG

from windlass.dagfactory import ConfigError, ConfigFile, analyse, build_dag, load_config, load_folder
from windlass.dagfactory.build.refusal import Refusal, RefusedError
from windlass.dagfactory.model import TriggerRule
from windlass.dagfactory.signature import signature_of

pytestmark = pytest.mark.integration
WriteConfig = Callable[..., Path]

BASH = "airflow.providers.standard.operators.bash.BashOperator"


@pytest.fixture
def full() -> dict[str, Any]:
    return {
        "dag_id": "sales_daily_load_v1",
        "description": "Land | publish.",
        "schedule": "0 5 * * *",
        "timezone": "Europe/Berlin",
        "start_date": "2026-07-01",
        "end_date": "2026-12-31T23:00:00+00:00",
        "catchup": True,
        "max_active_runs": 2,
        "max_active_tasks": 5,
        "tags": ["sales", "daily", "b", "a"],
        "owner": "data",
        "params": {"region": "eu"},
        "dagrun_timeout": "2h",
        "defaults": {
            "timeout": "10m",
            "retry": {"attempts": 3, "delay": "30s", "multiplier": 2, "cap": "5m"},
        },
        "tasks": {
            "publish": {
                "operator": "trial.run_sql",
                "args": {"sql_file": "sql/publish.sql", "scripts": ["sql/publish.sql"]},
                "depends_on": ["check", "land"],
                "trigger_rule": "none_failed",
                "retry": {"attempts": 1},
                "doc_md": "Last.",
            },
            "land": {
                "operator": "trial.load_file",
                "args": {"file": "a.csv", "table": "s.a"},
                "timeout": "1m",
            },
            "check": {
                "operator": BASH,
                "args": {"bash_command": "check.sh", "env": {"A": "1"}},
                "depends_on": ["land"],
                "pool": "sql",
                "priority_weight": 7,
                "retry": {"multiplier": 1, "cap": "10s"},
            },
        },
    }


def write(folder: Path, config: dict[str, Any], write_config: WriteConfig) -> ConfigFile:
    path = write_config(folder, config)
    (path.parent / "sql").mkdir(exist_ok=True)
    (path.parent / "sql" / "publish.sql").write_text("select '{{ ds }}'")
    (path.parent / "a.csv").write_text("1\n2\n")
    (path.parent / "check.sh").write_text("echo {{ ds }}")
    return ConfigFile.at(path, name=path.relative_to(folder).as_posix())


@pytest.fixture
def dag(tmp_path: Path, full: dict[str, Any], write_config: WriteConfig) -> DAG:
    return build_dag(analyse(write(tmp_path, full, write_config)))


def test_what_the_config_says_of_the_dag_is_set(dag: DAG) -> None:
    assert dag.dag_id == "sales_daily_load_v1"
    assert dag.timezone.name == "Europe/Berlin"
    assert dag.start_date == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert dag.end_date == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert (dag.catchup, dag.max_active_runs, dag.max_active_tasks) == (True, 2, 5)
    assert dag.tags == {"sales", "daily", "a", "b"}
    assert dag.dagrun_timeout == timedelta(hours=2)
    assert dag.params["region"] == "eu"
    assert dag.doc_md == (
        "Land | publish.\n\n| Task | Operator | After |\n|---|---|---|\n| `land` | `trial.load_file` |  |\n"
        f"| `check` | `{BASH}` | `land` |\n| `publish` | `trial.run_sql` | `check`, `land` |\n"
    )


def test_what_the_config_says_of_tasks_is_set(dag: DAG) -> None:
    land, check, publish = (dag.get_task(name) for name in ("land", "check", "publish"))
    assert publish.upstream_task_ids == {"land", "check"}
    assert (publish.trigger_rule, publish.doc_md, publish.retries) == ("none_failed", "Last.", 0)
    assert (check.pool, check.priority_weight, check.owner) == ("sql", 7, "data")
    assert (land.execution_timeout, check.execution_timeout) == (timedelta(minutes=1), timedelta(minutes=10))
    assert (land.retries, land.retry_delay, land.retry_exponential_backoff, land.max_retry_delay) == (
        2,
        timedelta(seconds=30),
        2,
        timedelta(minutes=5),
    )
    # Airflow caps only waits that grow: without growth the cap shortens the wait itself.
    assert (check.retries, check.retry_delay, check.retry_exponential_backoff) == (
        2,
        timedelta(seconds=10),
        0,
    )


def test_files_reach_operators_by_absolute_path_but_never_the_serialized_dag(
    dag: DAG, tmp_path: Path
) -> None:
    folder = tmp_path / "sales_daily_load_v1"
    assert dag.get_task("land").file == str(folder / "a.csv")
    publish = dag.get_task("publish")
    assert publish.scripts == [str(folder / "sql" / "publish.sql")]
    assert publish.sql_file == "{{ dag.folder }}/sql/publish.sql"
    dag.resolve_template_files()
    rendered = publish.render_template(publish.sql_file, {"dag": dag})
    assert rendered == str(folder / "sql" / "publish.sql")


def test_the_config_is_the_source_and_its_folder_that_of_templates(dag: DAG, tmp_path: Path) -> None:
    dag.resolve_template_files()
    assert dag.fileloc == str(tmp_path / "sales_daily_load_v1" / "dag.json")
    assert dag.get_task("check").bash_command == "echo {{ ds }}"


HASH = """
import json, sys
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import DagSerialization
from windlass.dagfactory import ConfigFile, analyse, build_dag
dag = build_dag(analyse(ConfigFile.at(sys.argv[1])))
dag.relative_fileloc = "sales_daily_load_v1/dag.json.py"
dag.resolve_template_files()
data = DagSerialization.to_dict(dag)
assert sys.argv[2] not in json.dumps(data | {"dag": data["dag"] | {"fileloc": ""}}), "an absolute path"
print(SerializedDagModel.hash(data))
"""


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(inner) for key, inner in reversed(value.items())}
    return value


def test_the_hash_depends_on_the_meaning_alone(
    tmp_path: Path, full: dict[str, Any], write_config: WriteConfig
) -> None:
    other = reversed_keys(full)
    other["tags"] = other["tags"][::-1]
    other["tasks"]["publish"]["depends_on"] = other["tasks"]["publish"]["depends_on"][::-1]
    changed = full | {"schedule": "0 6 * * *"}
    hashes = []
    for index, config in enumerate((full, other, changed)):
        folder = tmp_path / f"checkout {index}"
        file = write(folder, config, write_config)
        done = subprocess.run(
            [sys.executable, "-c", HASH, file.path, str(tmp_path)],
            env=os.environ | {"PYTHONHASHSEED": str(index)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        hashes.append(done.stdout.split()[-1])
    assert hashes[0] == hashes[1] != hashes[2]


def test_cron_is_in_the_time_zone_of_the_config_even_without_start(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    del config["start_date"]
    dag = build_dag(analyse(write(tmp_path, config, write_config)))
    assert str(dag.timetable.timezone) in ("Europe/Berlin", "Timezone('Europe/Berlin')")
    config["schedule"] = "@continuous"
    assert build_dag(analyse(write(tmp_path, config, write_config))).max_active_runs == 1


def test_a_document_beside_the_config_is_read(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    file = write(tmp_path, config | {"doc_md": "README.md"}, write_config)
    (file.folder / "README.md").write_text("# Sales\nSee also other.md")
    assert build_dag(analyse(file)).doc_md == "# Sales\nSee also other.md\n"
    assert (
        build_dag(analyse(write(tmp_path, config | {"doc_md": "*Text.*"}, write_config))).doc_md == "*Text.*"
    )


def test_all_tasks_that_operators_refuse_are_told_of_at_once(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    config["tasks"] = {
        "a": {"operator": "trial.note", "args": {"text": "refuse me"}},
        "b": {"operator": "trial.gone"},
        "c": {"operator": "trial.note"},
        "d": {"operator": "trial.note", "args": {"text": "exit"}},
    }
    with pytest.raises(ConfigError) as caught:
        build_dag(analyse(write(tmp_path, config, write_config)))
    found = caught.value.diagnostics
    assert [(diagnostic.code, diagnostic.path) for diagnostic in found] == [
        ("WDF307", "$.tasks.a.args"),
        ("WDF302", "$.tasks.b.operator"),
        ("WDF307", "$.tasks.d.args"),
    ]
    assert "this text is not allowed" in found[0].message


def test_a_config_that_a_stub_names_is_loaded_or_told_of(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    file = write(tmp_path, config, write_config)
    stub = tmp_path / "stubs" / "dag.json.py"
    relative = "../sales_daily_load_v1/dag.json"
    for path in (file.path, relative):
        assert load_config(str(stub), path, name="x").config_path == file.path
    with pytest.raises(ConfigError, match=r"sales/dag\.json:2:\d+: error WDF205"):
        load_config(str(stub), file.path, name="sales/dag.json", also_in=["other/dag.json"])
    with pytest.raises(ConfigError, match="WDF001"):
        load_config(str(stub), "gone/dag.json", name="gone/dag.json")


def test_a_folder_is_loaded_whole_or_not_at_all(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    write(tmp_path, config, write_config)
    write_config(tmp_path, config | {"dag_id": "crm_daily_sync_v1"}, "crm_daily_sync_v1")
    found: dict[str, Any] = {}
    load_folder(tmp_path, found)
    assert set(found) == {"sales_daily_load_v1", "crm_daily_sync_v1"}
    write_config(tmp_path, "{", "crm_daily_sync_v1")
    found.clear()
    with pytest.raises(ConfigError, match="WDF009"):
        load_folder(tmp_path, found)
    assert found == {}
    (tmp_path / "crm_daily_sync_v1" / "dag.json").unlink()
    (tmp_path / "hr_daily_load_v1.dag.json").symlink_to(__file__)
    with pytest.raises(ConfigError, match=r"hr_daily_load_v1\.dag\.json:1:1: error WDF001: .* leads out"):
        load_folder(tmp_path, found)
    assert found == {}


def test_trigger_rules_are_those_of_airflow() -> None:
    from airflow.sdk.api.datamodels._generated import TriggerRule as AirflowTriggerRule

    assert set(get_args(TriggerRule)) == {rule.value for rule in AirflowTriggerRule}


def test_signatures_are_read_through_subclasses() -> None:
    signature = signature_of("airflow.providers.standard.sensors.bash.BashSensor")
    assert {"bash_command", "poke_interval"} <= signature.accepted
    assert signature.required == {"bash_command"}
    assert not signature.open_ended
    assert {"retries", "queue"} <= signature.airflow


def test_the_config_reads_as_json_in_the_end(dag: DAG) -> None:
    dag.resolve_template_files()
    assert json.loads(Path(dag.fileloc).read_text())["dag_id"] == dag.dag_id


def test_notifiers_that_cannot_be_made_are_located(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    """A notifier's constructor may refuse what its signature takes."""
    refused = [{"notifier": "windlass_test_operators_airflow.Picky", "args": {"room": "nowhere"}}]
    config["notify"] = {"on_failure": refused}
    with pytest.raises(
        ConfigError, match=r"WDF802: the notifier .*Picky cannot be made: no such room"
    ) as caught:
        build_dag(analyse(ConfigFile.at(write_config(tmp_path, config))))
    assert [found.path for found in caught.value.diagnostics] == ["$.notify"]
    del config["notify"]
    config["tasks"]["run"]["notify"] = {"on_retry": refused}
    with pytest.raises(ConfigError, match="WDF802") as caught:
        build_dag(analyse(ConfigFile.at(write_config(tmp_path, config))))
    assert [found.path for found in caught.value.diagnostics] == ["$.tasks.run.notify"]


def test_a_compensation_whose_class_is_not_there_is_located(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    config["compensate"] = {"operator": "trial.gone"}
    config["tasks"]["run"]["compensate"] = {"operator": "trial.gone"}
    with pytest.raises(ConfigError, match=r"WDF302.*Gone") as caught:
        build_dag(analyse(ConfigFile.at(write_config(tmp_path, config))))
    assert [found.path for found in caught.value.diagnostics] == ["$.compensate.operator"]
    del config["compensate"]
    with pytest.raises(ConfigError, match=r"WDF302.*Gone") as caught:
        build_dag(analyse(ConfigFile.at(write_config(tmp_path, config))))
    assert [found.path for found in caught.value.diagnostics] == ["$.tasks.run.compensate.operator"]


def test_what_waits_does_so_without_a_worker_unless_told_otherwise(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    waiting = {"trigger_dag_id": "other", "wait_for_completion": True}
    config["tasks"] = {
        "trigger": {"operator": "airflow.trigger_dag", "args": waiting},
        "in_a_worker": {"operator": "airflow.trigger_dag", "args": {**waiting, "deferrable": False}},
        "wait": {"operator": "airflow.wait_for_dag", "args": {"external_dag_id": "other"}},
    }
    dag = build_dag(analyse(ConfigFile.at(write_config(tmp_path, config))))
    assert {name: task.deferrable for name, task in dag.task_dict.items()} == {
        "trigger": True,
        "in_a_worker": False,
        "wait": True,
    }


def test_refusals_pickle() -> None:
    refused = RefusedError([Refusal("airflow", ("tasks", "a"), "no"), Refusal("operator", (), "never", "do")])
    copied = pickle.loads(pickle.dumps(refused))
    assert copied.refusals == refused.refusals
    assert str(copied) == "no; never"
