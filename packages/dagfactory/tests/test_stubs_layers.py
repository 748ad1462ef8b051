"""Stubs follow what configs share: folders' defaults at any level, and the values of variables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from windlass_test_stand import until

from windlass.dagfactory import ConfigError, StubFolder, load_config
from windlass.dagfactory.layers.digests import DefaultsDigests, Known
from windlass.dagfactory.stamps import Stamp
from windlass.dagfactory.stubs import SyncResult

pytestmark = pytest.mark.unit

SALES = {f"sales/{name}.dag.json" for name in ("sales_daily_load_v1", "sales_hourly_load_v1")}
CRM = {"crm_daily_sync_v1.dag.json"}


def config(dag_id: str, **keys: Any) -> str:
    task = {"operator": "trial.run_sql", "args": {"sql": "select 1"}}
    return json.dumps({"dag_id": dag_id, "schedule": None, "tasks": {"run": task}} | keys)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    folder = tmp_path / "configs"
    (folder / "sales").mkdir(parents=True)
    for name in SALES | CRM:
        (folder / name).write_text(config(Path(name).name.removesuffix(".dag.json")))
    return folder


@pytest.fixture
def stubs(configs: Path, tmp_path: Path) -> StubFolder:
    folder = StubFolder(configs, tmp_path / "stubs")
    folder.sync()
    return folder


def written(stubs: StubFolder) -> set[str]:
    return set(stubs.sync().written)


def test_an_edit_of_defaults_touches_exactly_the_stubs_below(stubs: StubFolder, configs: Path) -> None:
    (configs / "sales" / "defaults.json").write_text('{"owner": "sales"}')
    assert written(stubs) == SALES
    assert written(stubs) == set()
    (configs / "defaults.yaml").write_text("owner: all\n")
    assert written(stubs) == SALES | CRM
    (configs / "sales" / "defaults.json").write_text('{"owner": "sellers"}')
    assert written(stubs) == SALES
    (configs / "elsewhere").mkdir()
    (configs / "elsewhere" / "defaults.json").write_text("{}")
    assert written(stubs) == set()
    (configs / "sales" / "defaults.json").unlink()
    assert written(stubs) == SALES
    (configs / "defaults.yaml").rename(configs / "defaults.json")
    assert written(stubs) == SALES | CRM
    assert stubs.sync() == SyncResult(3)


def test_a_second_process_knows_the_same(stubs: StubFolder, configs: Path) -> None:
    (configs / "defaults.json").write_text('{"owner": "all"}')
    assert written(stubs) == SALES | CRM
    assert written(StubFolder(configs, stubs.stubs)) == set()
    (configs / "defaults.json").write_text('{"owner": "al"}')
    assert written(StubFolder(configs, stubs.stubs)) == SALES | CRM


def test_a_default_that_is_linked_elsewhere_is_seen(stubs: StubFolder, configs: Path) -> None:
    (configs / "a.json").write_text('{"owner": "a"}')
    (configs / "b.json").write_text('{"owner": "b"}')
    link = configs / "sales" / "defaults.json"
    link.symlink_to("../a.json")
    assert written(stubs) == SALES
    link.unlink()
    link.symlink_to("../b.json")
    assert written(stubs) == SALES
    (configs / "b.json").write_text('{"owner": "c"}')
    assert written(stubs) == SALES


def test_old_defaults_are_not_read_again(tmp_path: Path) -> None:
    def look(known: Known) -> tuple[Stamp | None, str]:
        return DefaultsDigests(str(tmp_path), ["defaults.json"], known).files["defaults.json"]

    (tmp_path / "defaults.json").write_text("{}")
    assert look({})[0] is None  # too young for its stamp to tell of a further change
    until(lambda: look({})[0] is not None, "a stamp old enough to be trusted", 20)
    stamp = look({})[0]
    assert look({"defaults.json": (stamp, "as it was")}) == (stamp, "as it was")
    (tmp_path / "defaults.json").write_text("{ }")
    assert look({"defaults.json": (stamp, "as it was")})[1] != "as it was"


def test_the_value_of_a_declared_variable_counts(
    stubs: StubFolder, configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.setenv("TEAM", "a")
    (configs / "crm_daily_sync_v1.dag.json").write_text(config("crm_daily_sync_v1", variables=["REGION"]))
    (configs / "sales" / "defaults.json").write_text('{"variables": ["TEAM"]}')
    assert written(stubs) == SALES | CRM
    assert written(stubs) == set()
    monkeypatch.setenv("REGION", "us")
    assert written(stubs) == CRM
    monkeypatch.delenv("TEAM")
    assert written(stubs) == SALES
    monkeypatch.setenv("OTHER", "x")
    assert written(stubs) == set()
    ledger = (stubs.stubs / ".windlass" / "state.json").read_text()
    assert '"us"' not in ledger


@pytest.mark.parametrize(
    "content",
    [
        {"doc_md": "note.md"},
        {"defaults": {"operators": {"trial.run_sql": {"args": {"sql_file": "note.md"}}}}},
    ],
)
def test_a_file_that_defaults_name_counts_beside_each_config(
    stubs: StubFolder, configs: Path, content: dict[str, Any]
) -> None:
    (configs / "defaults.json").write_text(json.dumps(content))
    assert written(stubs) == SALES | CRM
    (configs / "sales" / "note.md").write_text("select 1")
    assert written(stubs) == SALES
    (configs / "note.md").write_text("select 1")
    assert written(stubs) == CRM


def test_a_file_that_a_task_of_a_group_names_counts(stubs: StubFolder, configs: Path) -> None:
    task = {"operator": "trial.run_sql", "args": {"sql_file": "in_group.sql"}}
    group = {"outer": {"tasks": {"inner": {"tasks": {"run": task}}}}}
    (configs / "crm_daily_sync_v1.dag.json").write_text(config("crm_daily_sync_v1", tasks=group))
    assert written(stubs) == CRM
    (configs / "in_group.sql").write_text("select 1")
    assert written(stubs) == CRM


@pytest.mark.parametrize("relative", [False, True])
def test_a_stub_loads_its_config_with_the_folders_defaults(
    configs: Path, tmp_path: Path, relative: bool
) -> None:
    (configs / "defaults.json").write_text('{"description": "From the top.", "tags": ["x"]}')
    (configs / "sales" / "defaults.yaml").write_text("tags: [sales]\n")
    shared = tmp_path / "moved"
    StubFolder(configs, tmp_path / "stubs", relative=relative).sync()
    if relative:
        shared.mkdir()
        configs.rename(shared / "configs")
        (tmp_path / "stubs").rename(shared / "stubs")
    stub = (shared if relative else tmp_path) / "stubs" / "sales" / "sales_daily_load_v1.dag.json.py"
    names: dict[str, Any] = {"__file__": str(stub)}
    exec(compile(stub.read_text(), stub, "exec"), names)
    assert (names["dag"].description, names["dag"].tags) == ("From the top.", {"sales"})


def test_a_mistake_in_defaults_is_each_stubs_own_import_error(configs: Path, tmp_path: Path) -> None:
    (configs / "sales" / "defaults.json").write_text('{"catchup": "no"}')
    for name in sorted(SALES):
        with pytest.raises(ConfigError) as caught:
            load_config(str(tmp_path / "x.py"), str(configs / name), name=name, root=str(configs))
        [found] = caught.value.diagnostics
        assert (found.file, found.code, found.line, found.column) == ("sales/defaults.json", "WDF103", 1, 13)
    crm = "crm_daily_sync_v1.dag.json"
    assert load_config(str(tmp_path / "x.py"), str(configs / crm), name=crm, root=str(configs))


def test_yaml_configs_get_stubs_and_lose_them(stubs: StubFolder, configs: Path) -> None:
    shutil.copy(configs / "crm_daily_sync_v1.dag.json", configs / "hr_daily_load_v1.dag.yaml")
    (configs / "fin_daily_load_v1").mkdir()
    (configs / "fin_daily_load_v1" / "dag.yml").write_text("dag_id: fin_daily_load_v1\n")
    assert written(stubs) == {"hr_daily_load_v1.dag.yaml", "fin_daily_load_v1/dag.yml"}
    shutil.rmtree(stubs.stubs / ".windlass")
    (configs / "hr_daily_load_v1.dag.yaml").unlink()
    assert stubs.sync().removed == ("hr_daily_load_v1.dag.yaml",)


def test_a_json_and_a_yaml_config_of_one_dag_tell_of_each_other(stubs: StubFolder, configs: Path) -> None:
    (configs / "crm_daily_sync_v1.dag.yaml").write_text("dag_id: crm_daily_sync_v1\n")
    assert written(stubs) == CRM | {"crm_daily_sync_v1.dag.yaml"}
    stub = (stubs.stubs / "crm_daily_sync_v1.dag.json.py").read_text()
    assert "also_in=['crm_daily_sync_v1.dag.yaml']" in stub
