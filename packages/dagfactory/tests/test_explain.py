"""`explain`: the origin of every value that holds, through folders, defaults and operators' defaults."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from windlass.dagfactory import ConfigFile, analyse, build_dag
from windlass.dagfactory.cli import app
from windlass.dagfactory.explain import explain, matching
from windlass.dagfactory.graph import read_graph

pytestmark = pytest.mark.unit

NAME = "sales_daily_load_v1"
TOP = """{"owner": "data", "params": {"region": "eu"},
 "defaults": {"retry": {"attempts": 3, "delay": "1m"}, "pool": "p"}}"""
SALES = 'variables: [TEAM]\ndescription: "Of ${TEAM}"\nparams: {day: 1}\n'
OWN = """{
"dag_id": "sales_daily_load_v1",
"schedule": null,
"defaults": {"operators": {"trial.run_sql": {"queue": "q", "args": {"parameters": {"a": 1}, "scripts": []}}}},
"tasks": {
 "run": {"operator": "trial.run_sql", "args": {"sql": "select ${TEAM}"},
   "retry": {"delay": "2m"}},
 "group": {"tooltip": "Inside.", "tasks": {
   "note": {"operator": "trial.note", "args": {"text": "x"}, "pool": null, "retry": null}}}
}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEAM", "sellers")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sales" / NAME).mkdir(parents=True)
    (tmp_path / "defaults.json").write_text(TOP)
    (tmp_path / "sales" / "defaults.yaml").write_text(SALES)
    (tmp_path / "sales" / NAME / "dag.json").write_text(OWN)
    return tmp_path


def origins(root: Path) -> dict[str, tuple[Any, str | None, int | None, int | None, str | None]]:
    analysis = analyse(ConfigFile.at(root / "sales" / NAME / "dag.json", name=f"sales/{NAME}/dag.json"))
    assert analysis.diagnostics() == []
    return {o.path: (o.value, o.file, o.line, o.column, o.source) for o in explain(analysis)}


def test_every_value_is_traced_to_its_place(root: Path) -> None:
    found = origins(root)
    own, top, sales = f"sales/{NAME}/dag.json", "defaults.json", "sales/defaults.yaml"
    expected = {
        "$.owner": ("data", top, 1, 11, None),
        "$.params.region": ("eu", top, 1, 40, None),
        "$.params.day": (1, sales, 3, 15, None),
        "$.description": ("Of sellers", sales, 2, 14, None),
        "$.variables[0]": ("TEAM", sales, 1, 13, None),
        "$.schedule": (None, own, 3, 13, None),
        "$.timezone": ("UTC", None, None, None, None),
        "$.tasks.run.operator": ("trial.run_sql", own, 6, 22, None),
        "$.tasks.run.owner": ("data", top, 1, 11, "$.owner"),
        "$.tasks.run.pool": ("p", top, 2, 64, "$.defaults.pool"),
        "$.tasks.run.queue": ("q", own, 4, 55, "$.defaults.operators['trial.run_sql'].queue"),
        "$.tasks.run.retry.attempts": (3, top, 2, 37, "$.defaults.retry.attempts"),
        "$.tasks.run.retry.delay": ("2m", own, 7, 23, None),
        "$.tasks.run.retry.multiplier": (1, None, None, None, None),
        "$.tasks.run.args.sql": ("select sellers", own, 6, 55, None),
        "$.tasks.run.args.parameters.a": (
            1,
            own,
            4,
            89,
            "$.defaults.operators['trial.run_sql'].args.parameters.a",
        ),
        "$.tasks.group.tooltip": ("Inside.", own, 8, 23, None),
        "$.tasks.group.tasks.note.args.text": ("x", own, 9, 56, None),
        "$.tasks.group.tasks.note.trigger_rule": ("all_success", None, None, None, None),
    }
    assert {path: found[path] for path in expected} == expected
    assert found["$.tasks.run.args.scripts"][0] == []
    unset = ("$.tasks.group.tasks.note.pool", "$.tasks.group.tasks.note.retry")
    assert not [path for path in found if path.startswith(unset)]


def test_what_is_called_a_default_of_windlass_is_what_a_build_gives(root: Path) -> None:
    path = root / "sales" / NAME / "dag.json"
    config = json.loads(OWN)
    config["tasks"] = {"note": {"operator": "trial.note", "retry": {"delay": None, "attempts": 2}}}
    (root / "defaults.json").unlink()
    path.write_text(json.dumps(config))
    analysis = analyse(ConfigFile.at(path, root=root))
    [task] = build_dag(analysis).tasks
    said = {origin.path: origin.value for origin in explain(analysis) if origin.kind == "windlass"}
    assert said["$.tasks.note.retry.delay"] == "5m"
    assert task.retry_delay == timedelta(minutes=5)
    assert said["$.tasks.note.trigger_rule"] == task.trigger_rule
    assert said["$.catchup"] is task.dag.catchup


def test_paths_choose_what_is_at_them_and_below(root: Path) -> None:
    everything = explain(analyse(ConfigFile.at(root / "sales" / NAME / "dag.json", root=root)))
    for path in ("tasks.run.retry", "$.tasks.run.retry"):
        assert {o.path.rpartition(".")[2] for o in matching(everything, path)} == {
            "attempts",
            "delay",
            "multiplier",
            "jitter",
        }
    assert [o.path for o in matching(everything, "variables")] == ["$.variables[0]"]
    assert matching(everything, "tasks.ru") == []


def test_the_command_prints_a_table_or_json(root: Path) -> None:
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}", "tasks.run.pool"])
    assert (done.exit_code, done.stdout) == (0, '$.tasks.run.pool  "p"  defaults.json:2:64 $.defaults.pool\n')
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}/dag.json", "--json"])
    by_path = {entry["path"]: entry for entry in json.loads(done.stdout)}
    assert by_path["$.description"] == {
        "path": "$.description",
        "value": "Of sellers",
        "kind": "folder",
        "file": "sales/defaults.yaml",
        "line": 2,
        "column": 14,
        "source": None,
        "variables": ["TEAM"],
    }
    assert "default of windlass" in CliRunner().invoke(app, ["explain", f"sales/{NAME}"]).stdout


def test_the_root_decides_whose_defaults_count(root: Path) -> None:
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}", "--root", "sales", "--json"])
    owners = [entry for entry in json.loads(done.stdout) if entry["path"] == "$.owner"]
    assert (owners, done.exit_code) == ([], 1)  # without the folder above, retry lacks its attempts
    for wrong in ("nowhere", f"sales/{NAME}/dag.json"):
        assert CliRunner().invoke(app, ["explain", f"sales/{NAME}", "--root", wrong]).exit_code == 2
    (root / "other").mkdir()
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}", "--root", "other"])
    assert (done.exit_code, "not below the root" in done.stderr) == (2, True)


def test_a_path_that_is_not_there_is_misuse_with_a_suggestion(root: Path) -> None:
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}", "tasks.run.pol"])
    assert done.exit_code == 2
    assert 'did you mean "$.tasks.run.pool"?' in done.stderr
    assert CliRunner().invoke(app, ["explain", "."]).exit_code == 0  # the only config below
    (root / "crm_daily_load_v1.dag.json").write_text("{}")
    assert CliRunner().invoke(app, ["explain", "."]).exit_code == 2


def test_a_config_with_mistakes_is_explained_as_far_as_it_goes(root: Path) -> None:
    path = root / "sales" / NAME / "dag.json"
    path.write_text(OWN.replace('"schedule": null', '"shedule": null, "tasks": 1'))
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}"])
    assert (done.exit_code, "$.shedule" in done.stdout, "mistakes" in done.stderr) == (1, True, True)
    path.write_text("{")
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}"])
    assert (done.exit_code, done.stdout, "WDF009" in done.stderr) == (1, "", True)


def test_secrets_are_not_repeated(root: Path) -> None:
    (root / "defaults.json").write_text(
        '{"params": {"db_password": "hunter2"}, "defaults": {"retry": {"attempts": 1}}}'
    )
    done = CliRunner().invoke(app, ["explain", f"sales/{NAME}"])
    assert done.exit_code == 1
    assert "(secret)" in done.stdout
    assert "hunter2" not in done.output


@pytest.mark.parametrize("defaults", [{}, {"trigger_rule": "all_done"}])
def test_the_trigger_rule_of_a_teardown_is_airflows(root: Path, defaults: dict[str, Any]) -> None:
    tasks = {
        "begin": {"operator": "trial.note", "setup": True},
        "work": {"operator": "trial.note", "depends_on": ["begin"], "trigger_rule": "all_success"},
        "next": {"operator": "trial.note", "depends_on": ["work"]},
        "end": {"operator": "trial.note", "depends_on": ["next"], "teardown": ["begin"]},
    }
    path = root / "sales" / NAME / "dag.json"
    path.write_text(json.dumps({"dag_id": NAME, "defaults": defaults, "tasks": tasks}))
    analysis = analyse(ConfigFile.at(path))
    said = {o.path.split(".")[2]: o.value for o in explain(analysis) if o.path.endswith("trigger_rule")}
    assert said == {task.task_id: task.trigger_rule for task in build_dag(analysis).tasks}
    nodes = read_graph(analysis.data).as_dict()["nodes"]
    assert {node["id"]: node["trigger_rule"] for node in nodes} == said


def test_arguments_that_a_task_is_mapped_over_are_not_those_of_the_defaults(root: Path) -> None:
    tasks = {
        "each": {"operator": "trial.note", "expand": {"text": ["a"]}},
        "rows": {"operator": "trial.note", "expand_kwargs": [{"text": "a"}]},
        "plain": {"operator": "trial.note"},
    }
    defaults = {"operators": {"trial.note": {"args": {"text": "x"}}}}
    path = root / "sales" / NAME / "dag.json"
    path.write_text(json.dumps({"dag_id": NAME, "defaults": defaults, "tasks": tasks}))
    found = [
        o.path.removeprefix("$.tasks.") for o in explain(analyse(ConfigFile.at(path))) if ".text" in o.path
    ]
    assert found == ["each.expand.text[0]", "rows.expand_kwargs[0].text", "plain.args.text"]
