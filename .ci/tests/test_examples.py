"""The gallery's gate counts configs as the factory does, and names what Airflow made otherwise."""

from pathlib import Path

import pytest

from gate.examples import configs, differences

pytestmark = pytest.mark.unit


def test_configs_are_found_by_their_two_forms_of_name(tmp_path: Path) -> None:
    wanted = ["beginner/one_v1/dag.json", "beginner/two_v1.dag.json", "advanced/three_v1/dag.yaml"]
    beside = ["beginner/one_v1/defaults.json", "beginner/one_v1/mydag.json", "dag.schema.json", "one.dag.txt"]
    for name in [*wanted, *beside]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert configs(tmp_path) == {
        "one_v1": tmp_path / wanted[0],
        "two_v1": tmp_path / wanted[1],
        "three_v1": tmp_path / wanted[2],
    }


def test_two_configs_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "dag.json").touch()
    (tmp_path / "one.dag.json").touch()
    with pytest.raises(SystemExit, match="same DAG one"):
        configs(tmp_path)


def test_differences_name_each_side() -> None:
    assert differences({"a", "b"}, {"a", "b"}, {}) == []
    assert differences({"a", "b"}, {"b", "c"}, {"a.json": "boom\n"}) == [
        "a.json: boom",
        "a: a config, but no DAG",
        "c: a DAG without a config of its name",
    ]
