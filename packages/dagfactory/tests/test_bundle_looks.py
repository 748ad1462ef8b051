"""When the bundle has Airflow search its stubs: where configs have come or gone, and else rarely."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import StubsError
from windlass.dagfactory.bundle import ConfigDagBundle

pytestmark = pytest.mark.integration

OTHER = "sales_weekly_load_v1"
INTERVAL = 300


@pytest.fixture
def configs(tmp_path: Path, config: dict[str, Any]) -> Path:
    folder = tmp_path / "configs"
    write(folder, config)
    return folder


def write(folder: Path, config: dict[str, Any]) -> None:
    path = folder / config["dag_id"] / "dag.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))


def bundle(configs: Path) -> ConfigDagBundle:
    stubs = str(configs.parent / "stubs")
    return ConfigDagBundle(name="sales", configs=str(configs), stubs=stubs, refresh_interval=INTERVAL)


def test_airflow_searches_where_configs_have_come_or_gone(configs: Path, config: dict[str, Any]) -> None:
    own = bundle(configs)
    own.refresh()
    assert own.refresh_interval == INTERVAL
    write(configs, {**config, "dag_id": OTHER})
    assert own.refresh_interval == 0
    own.refresh()
    assert own.refresh_interval == INTERVAL
    shutil.rmtree(configs / OTHER)
    assert own.refresh_interval == 0
    assert own.refresh_interval == 0  # until it has been done
    own.refresh()
    assert own.refresh_interval == INTERVAL


def test_an_edit_touches_its_stub_at_the_next_look(configs: Path, config: dict[str, Any]) -> None:
    own = bundle(configs)
    own.refresh()
    stub = own.path / config["dag_id"] / "dag.json.py"
    before = stub.stat().st_mtime_ns
    write(configs, {**config, "description": "Edited."})
    assert own.refresh_interval == INTERVAL
    assert stub.stat().st_mtime_ns > before


def test_what_another_process_has_brought_up_to_date_is_searched_too(
    configs: Path, config: dict[str, Any]
) -> None:
    own, other = bundle(configs), bundle(configs)
    own.refresh()
    write(configs, {**config, "dag_id": OTHER})
    other.refresh()
    assert own.refresh_interval == 0


def test_a_missing_folder_is_left_to_the_refresh_to_tell_of(configs: Path) -> None:
    own = bundle(configs)
    own.refresh()
    configs.rename(configs.parent / "away")
    assert own.refresh_interval == 0
    with pytest.raises(StubsError, match="check that it is mounted"):
        own.refresh()


def test_storage_that_fails_is_left_to_the_refresh_to_tell_of(configs: Path) -> None:
    own = bundle(configs)
    own.refresh()
    state = own.path / ".windlass" / "state.json"
    state.rename(state.with_suffix(".away"))
    state.mkdir()
    assert own.refresh_interval == 0  # raised from here, it would end the dag processor
    with pytest.raises(IsADirectoryError):
        own.refresh()


def test_who_only_constructs_the_bundle_looks_at_nothing(configs: Path) -> None:
    own = bundle(configs)
    assert own.refresh_interval == INTERVAL
    assert not own.path.exists()


def test_airflow_does_not_walk_through_what_lies_beside_the_stubs(configs: Path) -> None:
    from airflow.utils.file import list_py_file_paths

    own = bundle(configs)
    own.refresh()
    inside = own.path / ".windlass" / "plans" / "trap"
    inside.mkdir(parents=True)
    (inside / "dag.py").write_text("import airflow  # dag")
    assert [Path(found).name for found in list_py_file_paths(own.path)] == ["dag.json.py"]
