"""The bundle by itself, as Airflow calls it: whose stubs it takes, what it does where it may not write."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from airflow.dag_processing.dagbag import BundleDagBag

from windlass.dagfactory import StubsError
from windlass.dagfactory.bundle import ConfigDagBundle

pytestmark = pytest.mark.integration
WriteConfig = Callable[..., Path]

NOBODY = 65534
GOOD = ("sales_daily_load_v1", "crm_daily_sync_v1")


@pytest.fixture
def configs(tmp_path: Path, write_config: WriteConfig) -> Path:
    folder = tmp_path / "configs"
    for name in GOOD:
        tasks = {"note": {"operator": "trial.note", "args": {"text": "done"}}}
        write_config(folder, {"dag_id": name, "start_date": "2026-01-01", "tasks": tasks}, name)
    write_config(folder, '{\n  "dag_id": "hr_daily_load_v1",\n  "tasks": {},\n}', "hr_daily_load_v1")
    return folder


def test_the_bundle_wants_an_absolute_path() -> None:
    with pytest.raises(StubsError, match="absolute"):
        ConfigDagBundle(name="x", configs="configs")


class Machine:
    """Where Airflow keeps a bundle, and what it does with it."""

    def __init__(self, configs: Path, storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.configs = configs
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(storage))

    def initialize(self, *, stubs: Path | None = None, dag_id: str = "") -> tuple[list[str], list[str]]:
        """Have the stubs, for a task of a DAG if one is named; name them and the events that were logged."""
        bundle = ConfigDagBundle(
            name="examples", configs=str(self.configs), stubs=None if stubs is None else str(stubs)
        )
        with self.monkeypatch.context() as patch, structlog.testing.capture_logs() as events:
            if dag_id:
                patch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
                patch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "land")
            bundle.initialize()
        assert bundle.is_initialized
        assert bundle.get_current_version() is None
        assert stubs in {None, bundle.path}
        found = sorted(path.parent.name for path in bundle.path.rglob("*.json.py"))
        return found, [event["event"] for event in events]


@pytest.fixture
def machine(configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(configs, tmp_path / "storage", monkeypatch)


ALL = ["crm_daily_sync_v1", "hr_daily_load_v1", "sales_daily_load_v1"]


def test_a_task_start_brings_the_stub_of_a_dag_that_is_new_here_and_nothing_else(machine: Machine) -> None:
    assert machine.initialize() == (ALL, ["stubs_synced"])
    (machine.configs / "new_daily_load_v1").mkdir()
    (machine.configs / "new_daily_load_v1" / "dag.json").write_text("{}")
    assert machine.initialize(dag_id="crm_daily_sync_v1") == (ALL, [])
    with_new = sorted([*ALL, "new_daily_load_v1"])
    assert machine.initialize(dag_id="new_daily_load_v1") == (with_new, ["stubs_synced"])


def test_what_is_no_task_start_brings_the_stubs_up_to_date(machine: Machine) -> None:
    machine.initialize()
    (machine.configs / "new_daily_load_v1").mkdir()
    (machine.configs / "new_daily_load_v1" / "dag.json").write_text("{}")
    shutil.rmtree(machine.configs / "hr_daily_load_v1")
    expected = ["crm_daily_sync_v1", "new_daily_load_v1", "sales_daily_load_v1"]
    assert machine.initialize() == (expected, ["stubs_synced"])


@pytest.mark.parametrize("dag_id", ["", "crm_daily_sync_v1"], ids=["dag processor", "task start"])
def test_stubs_of_another_release_are_written_anew_before_one_is_parsed(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str
) -> None:
    other = tmp_path / "other" / "windlass_dagfactory-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: windlass-dagfactory\nVersion: 0.0.1\n")
    stubs = tmp_path / "stubs"
    stub = stubs / "crm_daily_sync_v1" / "dag.json.py"
    with monkeypatch.context() as before:
        before.syspath_prepend(other.parent)
        machine.initialize(stubs=stubs, dag_id=dag_id)
        assert machine.initialize(stubs=stubs, dag_id=dag_id) == (ALL, [])  # it takes its own as they are
    now, written = stub.read_text(), stub.stat().st_mtime_ns
    stub.write_text(now.replace("load_config", "load"))  # as that release wrote it
    os.utime(stub, ns=(written, written))
    assert machine.initialize(stubs=stubs, dag_id=dag_id) == (ALL, ["stubs_synced"])
    assert stub.read_text() == now
    assert stub.stat().st_mtime_ns > written  # Airflow parses it anew


def test_stubs_shipped_with_an_image_are_used_where_they_are(machine: Machine, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    machine.initialize(stubs=shipped)
    machine.configs.rename(tmp_path / "elsewhere")
    assert machine.initialize(stubs=shipped, dag_id="crm_daily_sync_v1") == (ALL, [])
    assert machine.initialize(stubs=shipped) == (ALL, ["stubs_not_refreshed"])


def test_a_missing_folder_of_configs_is_told_of(machine: Machine, tmp_path: Path) -> None:
    machine.configs.rename(tmp_path / "elsewhere")
    with pytest.raises(StubsError, match="check that it is mounted"):
        machine.initialize()


def test_an_empty_folder_of_configs_is_told_of_and_keeps_the_stubs(machine: Machine, tmp_path: Path) -> None:
    machine.initialize()
    machine.configs.rename(tmp_path / "elsewhere")
    machine.configs.mkdir()
    assert machine.initialize() == (ALL, ["configs_gone"])


def test_stubs_serve_as_long_as_they_are_there(machine: Machine, tmp_path: Path) -> None:
    machine.initialize()
    own = tmp_path / "storage" / "examples" / "stubs" / ".windlass"
    (own / "lock").unlink()
    (own / "lock").mkdir()
    assert machine.initialize() == (ALL, ["stubs_not_written"])
    assert machine.initialize() == (ALL, [])  # told once
    (own / "lock").rmdir()
    assert machine.initialize() == (ALL, [])
    (own / "lock").unlink()
    (own / "lock").mkdir()
    assert machine.initialize() == (ALL, ["stubs_not_written"])  # and again when it comes back
    with pytest.raises(StubsError, match=r"cannot be written \(Is a directory"):
        machine.initialize(dag_id="new_daily_load_v1")
    (own / "dags").unlink()
    with pytest.raises(StubsError, match="check permissions and space"):
        machine.initialize(dag_id="crm_daily_sync_v1")


def test_a_config_that_cannot_be_looked_at_is_told_of(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text("{}")
    (machine.configs / "new_daily_load_v1").mkdir()
    (machine.configs / "new_daily_load_v1" / "dag.json").symlink_to(tmp_path / "outside.json")
    assert machine.initialize() == (ALL, ["config_unreadable", "stubs_synced"])


class Bundles:
    """Bundles in the order of Airflow's configuration, and what their stubs say of each other."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(folder / "storage"))
        listed: list[dict[str, Any]] = [
            {
                "name": "python",
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {},
            },
            *({"name": name, "kwargs": {"configs": str(folder / name)}} for name in ("first", "second")),
            {
                "name": "shipped",
                "kwargs": {"configs": str(folder / "shipped"), "stubs": str(folder / "in image")},
            },
            {"name": "last", "kwargs": {"configs": str(folder / "last")}},
        ]
        for bundle in listed:
            bundle.setdefault("classpath", "windlass.dagfactory.bundle.ConfigDagBundle")
        self.kwargs = {bundle["name"]: bundle["kwargs"] for bundle in listed}
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(listed))

    def write(self, name: str, dag_id: str) -> Path:
        path = self.folder / name / dag_id / "dag.json"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        return path

    def rivals(self, name: str) -> set[str]:
        """Refresh a bundle; tell in which others its one config has been found to be."""
        bundle = ConfigDagBundle(name=name, **self.kwargs.get(name, self.kwargs["last"]))
        bundle.refresh()
        [stub] = bundle.path.rglob("*.json.py")
        return set(re.findall(r"in the bundle '(\w+)', which is listed first", stub.read_text()))


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundles:
    return Bundles(tmp_path, monkeypatch)


def test_a_stub_tells_of_all_bundles_before_its_own_that_claim_its_dag(bundles: Bundles) -> None:
    for name in ("last", "shipped", "second", "first"):
        bundles.write(name, "crm_daily_sync_v1")
        assert bundles.rivals(name) == set()  # nothing is known yet of those before it
    assert bundles.rivals("second") == {"first"}
    assert bundles.rivals("last") == {"first", "second", "shipped"}
    assert bundles.rivals("not_listed") == set()


def test_a_claim_that_nobody_keeps_up_to_date_does_not_count(bundles: Bundles) -> None:
    claim = bundles.write("first", "crm_daily_sync_v1")
    bundles.write("last", "crm_daily_sync_v1")
    bundles.rivals("first")
    assert bundles.rivals("last") == {"first"}
    claim.unlink()  # and no dag processor of the first refreshes it here
    assert bundles.rivals("last") == set()


@pytest.mark.parametrize("heading", ["", "{", "5", '["0.0.1"]', '["0.0.1", "/configs", false]'])
def test_what_another_release_claims_is_not_known(bundles: Bundles, heading: str) -> None:
    bundles.write("first", "crm_daily_sync_v1")
    bundles.write("last", "crm_daily_sync_v1")
    bundles.rivals("first")
    dags = bundles.folder / "storage" / "first" / "stubs" / ".windlass" / "dags"
    dags.write_text(heading + "\n" + dags.read_text().partition("\n")[2])
    assert bundles.rivals("last") == set()


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
