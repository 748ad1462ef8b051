"""`windlass-dags new`: what it writes is valid at once, is written whole, and covers nothing up."""

from __future__ import annotations

import json
import os
import pickle
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from windlass.dagfactory.cli import app
from windlass.dagfactory.discovery import ConfigFile
from windlass.dagfactory.errors import ScaffoldError
from windlass.dagfactory.registry import default_registry, is_class_path
from windlass.dagfactory.scaffold import Words, proposed_id, remove_pipeline, templates, write_pipeline
from windlass.dagfactory.validation import validate_configs

pytestmark = pytest.mark.integration  # processes on a terminal
runner = CliRunner()
NAME = "sales_daily_load_v1"


def usable() -> list[str]:
    names = default_registry().names()
    return [template.name for template in templates().values() if not template.missing(names)]


def test_templates_need_only_what_they_name() -> None:
    for template in templates().values():
        config = json.loads(template.texts["dag.json"])
        operators = {task["operator"] for task in config["tasks"].values()}
        assert {name for name in operators if not is_class_path(name)} == set(template.needs)
        named = {task.get("args", {}).get("sql_file") for task in config["tasks"].values()} - {None}
        assert {name for name in template.texts if name.endswith(".sql")} == named


def test_the_minimal_template_needs_no_other_package() -> None:
    assert "minimal" in usable()


@pytest.mark.parametrize("template", sorted(templates()))
def test_what_is_written_is_valid(template: str, tmp_path: Path) -> None:
    result = runner.invoke(app, ["new", NAME, "--template", template, "--folder", str(tmp_path)])
    if template not in usable():
        assert (result.exit_code, result.stdout) == (1, "")
        assert "pip install windlass-" in result.stderr
        assert list(tmp_path.iterdir()) == []
        return
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / NAME
    assert validate_configs([ConfigFile.at(folder / "dag.json")])[1] == []
    config = json.loads((folder / "dag.json").read_text())
    assert (folder / config["$schema"]).resolve() == tmp_path / "dag.schema.json"
    for file in folder.iterdir():
        assert "@@" not in file.read_text(), file
    assert {path.name for path in tmp_path.iterdir()} == {NAME, "dag.schema.json"}
    assert f"windlass-dags validate {folder}" in result.stdout


def test_the_author_s_words_are_in_the_config(tmp_path: Path) -> None:
    options = {
        "--description": 'Say "sales" \\ once',
        "--schedule": "0 5 * * 1",
        "--timezone": "Europe/Berlin",
        "--start-date": "2026-03-01",
        "--owner": "data",
    }
    flat = [part for option in options.items() for part in option]
    result = runner.invoke(app, ["new", NAME, "--folder", str(tmp_path), "--json", *flat])
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["dag_id"], told["files"]) == (NAME, ["README.md", "dag.json"])
    config = json.loads((tmp_path / NAME / "dag.json").read_text())
    keys = ("description", "schedule", "timezone", "start_date", "owner")
    assert [config[key] for key in keys] == list(options.values())


def test_words_that_make_no_valid_config_are_told(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for folder in ("here", "far/away"):
        arguments = ["new", NAME, "--folder", str(tmp_path / folder), "--timezone", "Mars", "--json"]
        result = runner.invoke(app, arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "WDF202" in result.stderr
        assert "nothing was written: correct what the lines above name" in result.stderr
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["here"]


def test_what_somebody_puts_beside_a_pipeline_stays_when_that_is_taken_back(tmp_path: Path) -> None:
    words = Words(NAME, "2026-01-01")
    pipeline = write_pipeline(templates()["minimal"], words, folder=tmp_path / "dags")
    (pipeline.folder / "mine.txt").write_text("mine")
    remove_pipeline(pipeline, [tmp_path / "dags"])
    assert [path.name for path in pipeline.folder.iterdir()] == ["mine.txt"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "mine.txt").write_text("mine")
    (tmp_path / "dag.schema.json").write_text("{}")
    result = runner.invoke(app, ["new", NAME, "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "there already" in result.stderr
    assert [path.name for path in (tmp_path / NAME).iterdir()] == ["mine.txt"]
    assert runner.invoke(app, ["new", "crm_daily_sync_v1", "--folder", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "dag.schema.json").read_text() == "{}"


def test_a_schema_further_up_the_project_is_used(tmp_path: Path) -> None:
    (tmp_path / "dag.schema.json").write_text("{}")
    deep = tmp_path / "teams" / "sales"
    assert runner.invoke(app, ["new", NAME, "--folder", str(deep)]).exit_code == 0
    assert json.loads((deep / NAME / "dag.json").read_text())["$schema"] == "../../../dag.schema.json"
    (deep / ".git").mkdir()
    assert runner.invoke(app, ["new", "crm_daily_sync_v1", "--folder", str(deep)]).exit_code == 0
    config = json.loads((deep / "crm_daily_sync_v1" / "dag.json").read_text())
    assert config["$schema"] == "../dag.schema.json"


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = runner.invoke(app, ["new", NAME, "--folder", str(tmp_path / "file")])
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    template = templates()["minimal"]
    broken = type(template)("x", "x", "x", {}, {"dag.json": "{}", "no/such/folder": ""})
    with pytest.raises(ScaffoldError) as raised:
        write_pipeline(broken, Words(NAME, "2026-01-01"), folder=tmp_path / "configs")
    assert list((tmp_path / "configs").iterdir()) == []
    assert pickle.loads(pickle.dumps(raised.value)).folder == raised.value.folder


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        (NAME, NAME),
        ("sales_daily_load", NAME),
        ("Sales daily-load", NAME),
        ("SalesLoad", "sales_load_v1"),
        ("sales", "sales_pipeline_v1"),
        ("sales_v3", "sales_pipeline_v3"),
        ("2026 sales", "sales_pipeline_v1"),
        ("__", "domain_pipeline_v1"),
    ],
)
def test_a_name_by_the_convention_is_proposed(typed: str, proposed: str, tmp_path: Path) -> None:
    assert proposed_id(typed) == proposed
    assert proposed_id(proposed) == proposed
    if typed != proposed:
        result = runner.invoke(app, ["new", typed, "--folder", str(tmp_path)])
        assert result.exit_code == 2
        assert f"try {proposed}" in result.stderr


def test_misuse_is_told_with_a_hint(tmp_path: Path) -> None:
    result = runner.invoke(app, ["new"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name the DAG" in result.stderr
    result = runner.invoke(app, ["new", NAME, "--template", "extract-laod", "--folder", str(tmp_path)])
    assert result.exit_code == 2
    assert 'did you mean "extract-load"?' in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_templates_are_listed() -> None:
    lines = runner.invoke(app, ["new", "--list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(templates())
    listed = json.loads(runner.invoke(app, ["new", "--list", "--json"]).stdout)
    assert {entry["name"] for entry in listed if not entry["missing"]} == set(usable())


def on_a_terminal(arguments: list[str], answers: str, folder: Path) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "windlass.dagfactory.cli", *arguments]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder
    )
    os.close(theirs)
    os.write(ours, answers.encode())
    output = process.communicate(timeout=60)[0].decode()
    os.close(ours)
    return process.returncode, output


@pytest.mark.parametrize(
    ("arguments", "answers"),
    [([], f"{NAME}\nminimal\n"), ([NAME], "minimal\n"), ([NAME, "--template", "minimal"], "")],
)
def test_a_terminal_is_asked_for_what_is_missing_only(
    tmp_path: Path, arguments: list[str], answers: str
) -> None:
    code, output = on_a_terminal(["new", *arguments], answers, tmp_path)
    assert code == 0, output
    assert ("DAG id" in output) == (arguments == [])
    assert ("Template" in output) == (len(arguments) < 3)
    config: dict[str, Any] = json.loads((tmp_path / NAME / "dag.json").read_text())
    assert config["dag_id"] == NAME
