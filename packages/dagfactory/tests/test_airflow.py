"""The bundle in a real Airflow: its metadata database, its dag processor, its command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from airflow.dag_processing.dagbag import BundleDagBag
from windlass_test_stand import Stand, airflow, until

from windlass.dagfactory import StubsError
from windlass.dagfactory.bundle import ConfigDagBundle

pytestmark = [pytest.mark.integration, pytest.mark.slow]
WriteConfig = Callable[..., Path]

NOBODY = 65534
GOOD = ("sales_daily_load_v1", "crm_daily_sync_v1")
BASH = "airflow.providers.standard.operators.bash.BashOperator"


def write_configs(folder: Path, write_config: WriteConfig) -> None:
    for name in GOOD:
        tasks = {
            "land": {"operator": BASH, "args": {"bash_command": "land.sh"}},
            "note": {"operator": "trial.note", "args": {"text": "done"}, "depends_on": ["land"]},
        }
        path = write_config(folder, {"dag_id": name, "start_date": "2026-01-01", "tasks": tasks}, name)
        (path.parent / "land.sh").write_text("echo landed {{ ds }}\n")
    write_config(folder, '{\n  "dag_id": "hr_daily_load_v1",\n  "tasks": {},\n}', "hr_daily_load_v1")


@pytest.fixture
def stand(tmp_path: Path, database: Path, write_config: WriteConfig) -> Stand:
    stand = Stand(tmp_path, database)
    write_configs(stand.configs, write_config)
    return stand


@pytest.fixture
def configs(tmp_path: Path, write_config: WriteConfig) -> Path:
    write_configs(tmp_path / "configs", write_config)
    return tmp_path / "configs"


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


BUNDLE = """
import sys
from windlass.dagfactory.bundle import ConfigDagBundle
bundle = ConfigDagBundle(name="examples", configs=sys.argv[1], stubs=sys.argv[2] or None)
bundle.initialize()
print(bundle.path, bundle.get_current_version(), sorted(
    p.parent.name for p in bundle.path.rglob("*.json.py")))
"""


def initialize(stand: Stand, stubs: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return stand.python(BUNDLE, str(stand.configs), stubs, **environment)


def test_a_task_start_brings_the_stub_of_a_dag_that_is_new_here_and_nothing_else(stand: Stand) -> None:
    assert "crm_daily_sync_v1" in initialize(stand).stdout
    (stand.configs / "new_daily_load_v1").mkdir()
    (stand.configs / "new_daily_load_v1" / "dag.json").write_text("{}")
    known = {
        "_AIRFLOW_PARSING_CONTEXT_DAG_ID": "crm_daily_sync_v1",
        "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "land",
    }
    assert "new_daily_load_v1" not in initialize(stand, **known).stdout
    assert (
        "new_daily_load_v1"
        in initialize(stand, **known | {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "new_daily_load_v1"}).stdout
    )


@pytest.mark.parametrize("dag_id", ["", "crm_daily_sync_v1"], ids=["dag processor", "task start"])
def test_stubs_of_another_release_are_written_anew_before_one_is_parsed(
    configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str
) -> None:
    other = tmp_path / "other" / "windlass_dagfactory-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: windlass-dagfactory\nVersion: 0.0.1\n")
    stubs = tmp_path / "stubs"
    stub = stubs / "crm_daily_sync_v1" / "dag.json.py"

    def initialize() -> str:
        ConfigDagBundle(name="examples", configs=str(configs), stubs=str(stubs)).initialize()
        return stub.read_text()

    if dag_id:
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "land")
    with monkeypatch.context() as before:
        before.syspath_prepend(other.parent)
        now = initialize()
        written = stub.stat().st_mtime_ns
        assert (initialize(), stub.stat().st_mtime_ns) == (now, written)  # it takes its own as they are
    stub.write_text(now.replace("load_config", "load"))  # as that release wrote it
    os.utime(stub, ns=(written, written))
    assert initialize() == now
    assert stub.stat().st_mtime_ns > written  # Airflow parses it anew


def test_stubs_shipped_with_an_image_are_used_where_they_are(stand: Stand, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    assert initialize(stand, str(shipped)).returncode == 0
    stand.configs.rename(tmp_path / "elsewhere")
    done = initialize(stand, str(shipped))
    assert f"\n{shipped} None ['crm_daily_sync_v1'" in f"\n{done.stdout}", done.stderr
    assert "stubs_not_refreshed" in done.stdout + done.stderr


def test_a_missing_folder_of_configs_is_told_of(stand: Stand, tmp_path: Path) -> None:
    stand.configs.rename(tmp_path / "elsewhere")
    done = initialize(stand)
    assert done.returncode == 1
    assert "check that it is mounted" in done.stderr


def test_an_empty_folder_of_configs_is_told_of_and_keeps_the_stubs(stand: Stand, tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    assert initialize(stand, str(stubs)).returncode == 0
    stand.configs.rename(tmp_path / "elsewhere")
    stand.configs.mkdir()
    (stubs / ".windlass" / "state.json").unlink()
    done = initialize(stand, str(stubs))
    assert "'crm_daily_sync_v1'" in done.stdout
    assert "configs_gone" in done.stdout + done.stderr


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


def test_the_bundle_wants_an_absolute_path() -> None:
    with pytest.raises(StubsError, match="absolute"):
        ConfigDagBundle(name="x", configs="configs")


def as_nobody(work: Callable[[], Any]) -> Any:
    """Do some work in a process that may write only what anybody may; return its result."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the runner's threads hold no lock that it needs
        child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            with os.fdopen(write, "w") as result:
                json.dump(work(), result)
        except BaseException:  # noqa: BLE001 - the last frame of a forked child
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as result:
        text = result.read()
    os.waitpid(child, 0)
    assert text, "see the traceback in the captured standard error"
    return json.loads(text)


def parsed(bundle: ConfigDagBundle) -> dict[str, Any]:
    """Bring a bundle up as Airflow does; tell what its stubs give and what was logged."""
    with structlog.testing.capture_logs() as events:
        bundle.initialize()
        bundle.refresh()
        bundle.refresh()
    bag = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name, safe_mode=True)
    notes = {dag_id: dag.task_dict["note"].text for dag_id, dag in bag.dags.items()}
    return {"notes": notes, "errors": sorted(bag.import_errors), "events": events}


@pytest.fixture
def anybody(configs: Path) -> Iterator[Path]:
    """A folder that everybody can enter, with configs that nobody may write, of which Airflow knows."""
    with tempfile.TemporaryDirectory(prefix="windlass-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(configs, folder / "configs")
        (folder / "storage").mkdir()
        if os.geteuid() == 0:
            os.chown(folder / "storage", NOBODY, NOBODY)
        yield folder
        protect(folder, write=True)


def protect(folder: Path, *, write: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod((0o755 if write else 0o555) if path.is_dir() else (0o644 if write else 0o444))


def test_a_user_who_may_write_neither_configs_nor_their_folder_is_served(
    anybody: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configs = anybody / "configs"
    protect(configs, write=False)

    def bundle() -> ConfigDagBundle:
        return ConfigDagBundle(name="read_only", configs=str(configs))

    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path))
    expected = parsed(bundle())  # also imports what nobody may not read
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(anybody / "storage"))
    before = {path: path.stat().st_mtime_ns for path in [configs, *configs.rglob("*")]}
    found = as_nobody(lambda: parsed(bundle()))
    assert found["notes"] == expected["notes"] == dict.fromkeys(GOOD, "done")
    assert [Path(file).parent.name for file in found["errors"]] == ["hr_daily_load_v1"]
    sales = configs / "sales_daily_load_v1" / "dag.json"
    protect(configs, write=True)
    sales.write_text(sales.read_text().replace('"done"', '"edited"'))
    protect(configs, write=False)
    found = as_nobody(lambda: parsed(bundle()))
    assert found["notes"]["sales_daily_load_v1"] == "edited"
    assert [event["written"] for event in found["events"]] == [1]
    assert {path: path.stat().st_mtime_ns for path in before if path != sales} == {
        path: stamp for path, stamp in before.items() if path != sales
    }


def test_stubs_that_cannot_be_written_are_told_of_and_go_on_working(
    anybody: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configs, stubs = anybody / "configs", anybody / "stubs"

    def bundle(name: str) -> ConfigDagBundle:
        return ConfigDagBundle(name=name, configs=str(configs), stubs=str(stubs))

    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path))
    parsed(bundle("shipped"))  # also imports what nobody may not read
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(anybody / "storage"))
    sales = configs / "sales_daily_load_v1" / "dag.json"
    sales.write_text(sales.read_text().replace('"done"', '"edited"'))
    shutil.copytree(sales.parent, configs / "new_daily_load_v1")
    protect(stubs, write=False)
    found = as_nobody(lambda: parsed(bundle("mounted")))
    assert found["notes"] == {"sales_daily_load_v1": "edited", "crm_daily_sync_v1": "done"}
    [event] = found["events"]  # of two refreshes
    assert (event["event"], event["log_level"]) == ("stubs_not_written", "warning")
    assert "Permission denied" in event["reason"]
    assert "check permissions" in event["reason"]
    assert "new configs get none" in event["action"]

    def begin(dag_id: str) -> str:
        os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id
        os.environ["_AIRFLOW_PARSING_CONTEXT_TASK_ID"] = "note"
        try:
            bundle("mounted").initialize()
        except StubsError as error:
            return str(error)
        return ""

    assert as_nobody(lambda: begin("sales_daily_load_v1")) == ""
    assert "cannot be written" in as_nobody(lambda: begin("new_daily_load_v1"))
    protect(stubs, write=True)
    dags = stubs / ".windlass" / "dags"
    dags.write_text(dags.read_text().replace('["', '["0.0.0+', 1))  # of another release
    protect(stubs, write=False)
    assert as_nobody(lambda: begin("sales_daily_load_v1")) == ""
    protect(stubs, write=True)
    dags.unlink()
    protect(stubs, write=False)
    assert "cannot be written" in as_nobody(lambda: begin("sales_daily_load_v1"))


def test_airflow_knows_the_provider(stand: Stand) -> None:
    done = airflow("providers", "list", "--output", "json", environment=stand.environment)
    assert "windlass-dagfactory" in done.stdout
