"""Discovery, inputs and stubs: what is written, touched and removed when configs come, change and go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from windlass_test_stand import until

from windlass.dagfactory import ConfigFile, StubFolder, StubsError, discover
from windlass.dagfactory.inputs import take_inputs, unchanged
from windlass.dagfactory.stubs import SyncResult

pytestmark = pytest.mark.unit
WriteConfig = Callable[..., Path]


def age(*paths: Path) -> None:
    """Make files old enough for their stamps to be trusted."""
    for path in paths:
        for found in [path, *path.rglob("*")] if path.is_dir() else [path]:
            os.utime(found, (time.time() - 60, time.time() - 60), follow_symlinks=False)


def age_entries(stubs: StubFolder) -> None:
    """Let the ledger trust the stamps that the files have now, as it would some seconds later."""
    entries = stubs._ledger.load()
    for name, entry in entries.items():
        folder = (stubs.configs / name).parent
        stats = {file: (folder / file).stat() for file in entry.watch}
        watch = {file: (s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino) for file, s in stats.items()}
        entries[name] = replace(entry, watch=watch)


@pytest.fixture
def configs(tmp_path: Path, config: dict[str, Any], write_config: WriteConfig) -> Path:
    for name in ("sales_daily_load_v1", "sales_hourly_load_v1"):
        write_config(tmp_path / "configs" / "sales", config | {"dag_id": name}, name)
    (tmp_path / "configs" / "crm_daily_sync_v1.dag.json").write_text(
        json.dumps(config | {"dag_id": "crm_daily_sync_v1"})
    )
    return tmp_path / "configs"


@pytest.fixture
def stubs(configs: Path, tmp_path: Path) -> StubFolder:
    return StubFolder(configs, tmp_path / "stubs")


def names(root: Path) -> list[str]:
    return [config.name for config in discover(root).configs]


def test_configs_are_found_by_name_and_nothing_else_is(configs: Path) -> None:
    for name in (
        "x.json",
        ".dag.json",
        "dag.toml",
        ".dag.yaml",
        "sales/dag.json.py",
        ".hidden/dag.json",
        "node_modules/dag.json",
    ):
        (configs / name).parent.mkdir(exist_ok=True)
        (configs / name).write_text("{}")
    (configs / "folder" / "dag.json").mkdir(parents=True)
    assert names(configs) == [
        "crm_daily_sync_v1.dag.json",
        "sales/sales_daily_load_v1/dag.json",
        "sales/sales_hourly_load_v1/dag.json",
    ]


def test_links_are_followed_once_and_loops_end(configs: Path) -> None:
    outside = configs / ".hidden"
    (outside / "hr_daily_load_v1").mkdir(parents=True)
    (outside / "hr_daily_load_v1" / "dag.json").write_text("{}")
    (outside / "back").symlink_to(configs)
    (outside / "self").symlink_to("self")
    (configs / "again").symlink_to(configs / "sales")
    (configs / "up").symlink_to("..")
    (configs / "linked").symlink_to(outside)
    (configs / "linked_too").symlink_to(outside)
    (configs / "hr_file_load_v1.dag.json").symlink_to(outside / "hr_daily_load_v1" / "dag.json")
    assert names(configs) == [
        "crm_daily_sync_v1.dag.json",
        "hr_file_load_v1.dag.json",
        "linked/hr_daily_load_v1/dag.json",
        "sales/sales_daily_load_v1/dag.json",
        "sales/sales_hourly_load_v1/dag.json",
    ]


def test_a_config_that_links_lead_out_of_the_folder_is_told_of_and_not_read(
    stubs: StubFolder, configs: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "configs_of_others" / "hr_daily_load_v1" / "dag.json"
    outside.parent.mkdir(parents=True)
    outside.write_text("confidential")
    (configs / "linked").symlink_to(outside.parents[1])
    (configs / "hr_file_load_v1.dag.json").symlink_to(outside)
    found = discover(configs)
    assert len(found.configs) == 3
    problems = {problem.name: problem.reason for problem in found.unreadable}
    assert set(problems) == {"linked/hr_daily_load_v1/dag.json", "hr_file_load_v1.dag.json"}
    assert all("leads out of the folder" in reason for reason in problems.values())
    assert len(stubs.sync().problems) == 2
    assert len(list(stubs.stubs.rglob("*.py"))) == 3


def test_configs_mounted_as_kubernetes_does_are_found(configs: Path, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    configs.rename(mount)
    (mount / "..2026_01_01").mkdir()
    for entry in list(mount.iterdir()):
        if not entry.name.startswith(".."):
            entry.rename(mount / "..2026_01_01" / entry.name)
            entry.symlink_to(Path("..data") / entry.name)
    (mount / "..data").symlink_to("..2026_01_01")
    configs.symlink_to(mount)
    found = discover(configs)
    assert found.unreadable == []
    assert [config.name for config in found.configs] == [
        "crm_daily_sync_v1.dag.json",
        "sales/sales_daily_load_v1/dag.json",
        "sales/sales_hourly_load_v1/dag.json",
    ]


def test_a_name_that_is_no_utf8_is_told_of(configs: Path) -> None:
    (configs / os.fsdecode(b"caf\xe9_daily_load_v1.dag.json")).write_text("{}")
    [problem] = discover(configs).unreadable
    assert "UTF-8" in problem.reason


def test_every_config_gets_a_stub_that_safe_mode_takes_for_a_dag_file(
    stubs: StubFolder, configs: Path
) -> None:
    result = stubs.sync()
    assert (result.configs, len(result.written), result.removed, result.problems) == (3, 3, (), ())
    stub = stubs.stubs / "sales" / "sales_daily_load_v1" / "dag.json.py"
    assert str(configs / "sales" / "sales_daily_load_v1" / "dag.json") in stub.read_text()
    assert b"airflow" in stub.read_bytes()
    assert b"dag" in stub.read_bytes()


def test_nothing_is_touched_when_nothing_changed(stubs: StubFolder, configs: Path) -> None:
    stubs.sync()
    before = {path: path.stat().st_mtime_ns for path in stubs.stubs.rglob("*.py")}
    for again in (stubs, StubFolder(configs, stubs.stubs)):
        assert again.sync() == SyncResult(3)
    assert {path: path.stat().st_mtime_ns for path in stubs.stubs.rglob("*.py")} == before


def test_a_refresh_reads_no_config_once_stamps_can_be_trusted(stubs: StubFolder, configs: Path) -> None:
    stubs.sync()
    entries = stubs._ledger.load()
    # Stamps of files as young as these are not trusted: an edit in the same clock tick would go unseen.
    assert {stamp for entry in entries.values() for stamp in entry.watch.values()} == {None}
    file = discover(configs).configs[0]
    old = Path(file.path).stat()
    trusted = {"crm_daily_sync_v1.dag.json": (old.st_mtime_ns, old.st_ctime_ns, old.st_size, old.st_ino)}
    assert unchanged(file, trusted)
    Path(file.path).chmod(0o600)
    assert not unchanged(file, trusted)


def test_an_edit_touches_its_own_stub_only(stubs: StubFolder, configs: Path) -> None:
    stubs.sync()
    before = {path: path.stat().st_mtime_ns for path in stubs.stubs.rglob("*.py")}
    path = configs / "crm_daily_sync_v1.dag.json"
    path.write_text(path.read_text().replace("05", "06") + "\n")
    assert stubs.sync().written == ("crm_daily_sync_v1.dag.json",)
    after = {path: path.stat().st_mtime_ns for path in stubs.stubs.rglob("*.py")}
    touched = stubs.stubs / "crm_daily_sync_v1.dag.json.py"
    assert [path for path in after if after[path] != before[path]] == [touched]
    assert after[touched] > before[touched]


def test_an_edit_is_touched_once_more_because_airflow_may_forget_it(configs: Path, tmp_path: Path) -> None:
    path = configs / "crm_daily_sync_v1.dag.json"
    stub = tmp_path / "stubs" / "crm_daily_sync_v1.dag.json.py"
    for settle_after, again in ((0, True), (60, False)):
        stubs = StubFolder(configs, tmp_path / "stubs", settle_after=settle_after)
        stubs.sync()
        path.write_text(path.read_text() + "\n")
        stubs.sync()
        mtimes = [stub.stat().st_mtime_ns]
        for _ in range(3):
            time.sleep(0.001)
            # Stamps as young as these are not trusted, so each refresh reads the config; it is not written
            # again.
            age_entries(stubs)
            assert stubs.sync().written == ()
            mtimes.append(stub.stat().st_mtime_ns)
        assert (mtimes[0] < mtimes[1]) is again
        assert mtimes[1] == mtimes[2] == mtimes[3]


@pytest.mark.parametrize("args", [{"sql_file": "sql/run.sql"}, {"sql": "x", "scripts": ["sql/run.sql"]}])
def test_a_file_that_the_config_names_counts(
    stubs: StubFolder, configs: Path, config: dict[str, Any], write_config: WriteConfig, args: dict[str, Any]
) -> None:
    config["tasks"] = {"run": {"operator": "trial.run_sql", "args": args}}
    write_config(configs / "sales", config)
    stubs.sync()
    script = configs / "sales" / "sales_daily_load_v1" / "sql" / "run.sql"
    expected = ("sales/sales_daily_load_v1/dag.json",)
    script.parent.mkdir()
    assert stubs.sync().written == ()
    script.write_text("select 1")
    assert stubs.sync().written == expected
    script.write_text("select 2")
    assert stubs.sync().written == expected
    (script.parent / "other.sql").write_text("select 3")
    assert stubs.sync().written == ()
    script.unlink()
    assert stubs.sync().written == expected


def test_a_file_that_appears_is_seen_by_stamps_alone(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    config["tasks"] = {"run": {"operator": "trial.run_sql", "args": {"sql_file": "run.sql"}}}
    file = ConfigFile.at(write_config(tmp_path, config))
    until(lambda: None not in take_inputs(file).watch.values(), "stamps old enough to be trusted", 20)
    watch = take_inputs(file).watch
    assert unchanged(file, watch)
    (file.folder / "run.sql").write_text("select 1")
    assert not unchanged(file, watch)


def test_a_large_file_counts_by_its_stamp(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    config["tasks"] = {"run": {"operator": "trial.run_sql", "args": {"sql_file": "big.sql"}}}
    file = ConfigFile.at(write_config(tmp_path, config))
    big = file.folder / "big.sql"
    with big.open("wb") as content:
        content.truncate(17 * 1024 * 1024)
    age(big)
    before = take_inputs(file).digest
    os.utime(big, (1, 1))
    assert take_inputs(file).digest != before


def test_a_stub_goes_with_its_config_and_folders_go_when_empty(stubs: StubFolder, configs: Path) -> None:
    stubs.sync()
    folder = stubs.stubs / "sales" / "sales_daily_load_v1"
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "dag.json.cpython-311.pyc").write_bytes(b"")
    shutil.rmtree(configs / "sales" / "sales_daily_load_v1")
    assert stubs.sync().removed == ("sales/sales_daily_load_v1/dag.json",)
    assert not folder.exists()
    assert (stubs.stubs / "sales" / "sales_hourly_load_v1" / "dag.json.py").exists()


def test_a_missing_folder_of_configs_costs_no_stub(stubs: StubFolder, configs: Path, tmp_path: Path) -> None:
    stubs.sync()
    configs.rename(tmp_path / "unmounted")
    with pytest.raises(StubsError, match="mounted"):
        stubs.sync()
    assert len(list(stubs.stubs.rglob("*.py"))) == 3


def test_a_folder_that_is_suddenly_empty_costs_no_stub_for_a_minute(
    configs: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    now = 1_000_000.0

    def sync() -> SyncResult:
        return StubFolder(configs, tmp_path / "stubs", clock=lambda: now).sync()

    sync()
    configs.rename(tmp_path / "unmounted")
    configs.mkdir()
    for seconds in (10, 69):
        now = 1_000_000.0 + seconds
        result = sync()
        assert (result.configs, len(result.kept), result.removed) == (0, 3, ())
    configs.rmdir()
    (tmp_path / "unmounted").rename(configs)
    now = 1_000_100.0
    assert sync() == SyncResult(3)
    shutil.rmtree(configs)
    configs.mkdir()
    assert len(sync().kept) == 3  # the count begins anew
    (tmp_path / "stubs" / ".windlass" / "state.json").unlink()
    now = 1_000_159.0
    assert len(sync().kept) == 3
    now = 1_000_160.0
    result = sync()
    assert (len(result.removed), result.kept) == (3, ())
    assert list((tmp_path / "stubs").rglob("*.py")) == []
    (configs / "crm_daily_sync_v1.dag.json").write_text("{}")
    sync()
    (configs / "crm_daily_sync_v1.dag.json").rename(configs / "hr_daily_sync_v1.dag.json")
    assert sync().removed == ("crm_daily_sync_v1.dag.json",)
    (configs / "hr_daily_sync_v1.dag.json").unlink()
    assert len(sync().kept) == 1
    now = 900_000.0  # a clock that is set back keeps no stub for good
    assert len(sync().kept) == 1
    now = 900_060.0
    assert sync().removed == ("hr_daily_sync_v1.dag.json",)


def test_files_of_others_are_never_removed(stubs: StubFolder, configs: Path) -> None:
    stubs.sync()
    own = stubs.stubs / "crm_daily_sync_v1.dag.json.py"
    own.write_text("# written by hand\n")
    (stubs.stubs / "helper.json.py").write_text("# written by hand\n")
    (configs / "crm_daily_sync_v1.dag.json").unlink()
    stubs.sync()
    assert own.exists()
    shutil.rmtree(stubs.stubs / ".windlass")
    stubs.sync()
    assert (stubs.stubs / "helper.json.py").exists()


@pytest.mark.parametrize("damage", [None, b"", b"{}", b"[1]", b'{"identity": 1, "configs": {}}'])
def test_a_lost_or_damaged_ledger_is_made_anew(
    stubs: StubFolder, configs: Path, damage: bytes | None
) -> None:
    stubs.sync()
    ledger = stubs.stubs / ".windlass" / "state.json"
    ledger.unlink()
    if damage is not None:
        ledger.write_bytes(damage)
    (configs / "crm_daily_sync_v1.dag.json").unlink()
    result = StubFolder(configs, stubs.stubs).sync()
    assert (len(result.written), result.removed) == (2, ("crm_daily_sync_v1.dag.json",))
    assert not (stubs.stubs / "crm_daily_sync_v1.dag.json.py").exists()


def test_a_removed_stub_is_written_again(stubs: StubFolder) -> None:
    stubs.sync()
    (stubs.stubs / "crm_daily_sync_v1.dag.json.py").unlink()
    assert stubs.sync().written == ("crm_daily_sync_v1.dag.json",)


@pytest.mark.parametrize("text", ["", "raise SystemExit\n", None])
def test_a_stub_that_somebody_changed_is_written_again(stubs: StubFolder, text: str | None) -> None:
    stubs.sync()
    stub = stubs.stubs / "crm_daily_sync_v1.dag.json.py"
    right = stub.read_text()
    stub.write_text(right.replace("crm_daily", "crm_dairy") if text is None else text)
    assert stubs.sync().written == ("crm_daily_sync_v1.dag.json",)
    assert stub.read_text() == right
    assert stubs.sync().written == ()


def test_stubs_that_only_their_time_tells_apart_stay_as_they_are(stubs: StubFolder, configs: Path) -> None:
    stubs.sync()
    age(stubs.stubs)  # as when they are copied into an image
    before = {path: path.stat().st_mtime_ns for path in stubs.stubs.rglob("*.py")}
    for again in (stubs, StubFolder(configs, stubs.stubs)):
        assert again.sync() == SyncResult(3)
    assert {path: path.stat().st_mtime_ns for path in stubs.stubs.rglob("*.py")} == before


def test_what_is_complete_is_known_by_dag(stubs: StubFolder, configs: Path, config: dict[str, Any]) -> None:
    assert not stubs.is_complete()
    assert not stubs.is_complete("crm_daily_sync_v1")
    stubs.sync()
    assert stubs.is_complete()
    assert stubs.is_complete("crm_daily_sync_v1")
    assert not stubs.is_complete("crm_daily_sync")
    (configs / "hr_daily_load_v1.dag.json").write_text("{}")
    assert not stubs.is_complete("hr_daily_load_v1")


def test_two_configs_of_one_name_get_stubs_that_tell_of_each_other(stubs: StubFolder, configs: Path) -> None:
    stubs.sync()
    twin = configs / "twin" / "crm_daily_sync_v1.dag.json"
    twin.parent.mkdir()
    twin.write_text((configs / "crm_daily_sync_v1.dag.json").read_text())
    assert set(stubs.sync().written) == {"crm_daily_sync_v1.dag.json", "twin/crm_daily_sync_v1.dag.json"}
    assert (
        "also_in=['crm_daily_sync_v1.dag.json']"
        in (stubs.stubs / "twin/crm_daily_sync_v1.dag.json.py").read_text()
    )
    twin.unlink()
    assert stubs.sync().written == ("crm_daily_sync_v1.dag.json",)
    assert "also_in" not in (stubs.stubs / "crm_daily_sync_v1.dag.json.py").read_text()


def test_a_name_too_long_for_a_stub_costs_no_other(stubs: StubFolder, configs: Path) -> None:
    name = "x" * (255 - len(".dag.json")) + ".dag.json"
    (configs / name).write_text("{}")
    result = stubs.sync()
    assert len(result.written) == 3
    assert [problem.name for problem in result.problems] == [name]
    assert stubs.sync().written == ()


def test_a_folder_that_cannot_be_written_is_told_of(configs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StubsError, match="cannot be written"):
        StubFolder(configs, tmp_path / "file").sync()


def test_odd_names_survive_into_the_stub(
    tmp_path: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    root = tmp_path / 'it\'s "so"\nodd é'
    config["tasks"] = {"run": {"operator": "trial.run_sql", "args": {"sql": "x"}}}
    write_config(root / "sub 'x'", config)
    folder = StubFolder(root, tmp_path / "stubs")
    folder.sync()
    [stub] = folder.stubs.rglob("*.py")
    seen: dict[str, Any] = {}
    text = stub.read_text().replace(
        "from windlass.dagfactory.loader import load_config", "load_config = seen.update"
    )
    exec(text.replace("load_config(__file__, ", "load_config(config="), {"seen": seen})
    assert seen["config"] == str(root / "sub 'x'" / "sales_daily_load_v1" / "dag.json")
    assert seen["name"] == "sub 'x'/sales_daily_load_v1/dag.json"


def test_relative_stubs_can_be_moved_with_their_configs(configs: Path, tmp_path: Path) -> None:
    StubFolder(configs, tmp_path / "stubs", relative=True).sync()
    text = (tmp_path / "stubs" / "sales" / "sales_daily_load_v1" / "dag.json.py").read_text()
    assert "'../../../configs/sales/sales_daily_load_v1/dag.json'" in text
    assert str(tmp_path) not in text


def test_refreshers_at_the_same_time_agree(stubs: StubFolder, configs: Path) -> None:
    code = (
        "import sys; from windlass.dagfactory import StubFolder\n"
        "for _ in range(20): StubFolder(sys.argv[1], sys.argv[2]).sync()"
    )
    command = [sys.executable, "-c", code, str(configs), str(stubs.stubs)]
    workers = [subprocess.Popen(command) for _ in range(3)]
    for index in range(20):
        path = configs / f"hr_daily{index}_load_v1.dag.json"
        path.write_text("{}")
        stubs.sync()
        if index % 2:
            path.unlink()
    for worker in workers:
        assert worker.wait(timeout=60) == 0
    stubs.sync()
    expected = {f"{name}.py" for name in names(configs)}
    assert {path.relative_to(stubs.stubs).as_posix() for path in stubs.stubs.rglob("*.py")} == expected
    assert stubs.sync() == SyncResult(13)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, windlass.dagfactory, windlass.dagfactory.provider; "
        "print([m for m in ('pydantic', 'airflow', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
