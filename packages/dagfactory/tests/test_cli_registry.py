"""`windlass-dags registry`: what is installed, what it takes, and that one broken package hides no other."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from windlass.dagfactory.cli import app

pytestmark = pytest.mark.integration  # class paths import Airflow

runner = CliRunner()


def test_everything_registered_is_listed_the_broken_with_its_reason() -> None:
    result = runner.invoke(app, ["registry"])
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["trial.load_file", "Load", "a", "file."] in lines
    assert ["trial.note", "Write", "a", "note."] in lines
    broken = [line[0] for line in lines if line[1:4] == ["cannot", "be", "used:"]]
    assert broken == ["trial.exiting", "trial.no_spec", "trial.unimportable"]
    assert result.exit_code == 1


def test_one_is_shown_with_its_parameters() -> None:
    result = runner.invoke(app, ["registry", "trial.load_file"])
    assert result.exit_code == 0
    assert result.stdout == (
        "trial.load_file  (operator)\n"
        "  Load a file.\n"
        "  package  windlass-test-operators 1.0\n"
        "  class    windlass_test_operators_airflow.LoadFile\n"
        "\n"
        "args\n"
        "  file  file beside the config; required\n"
        "      What to load.\n"
        "  table  text; required\n"
        '  mode  "replace" or "append"; default "append"\n'
        "  limits  object of whole number; optional\n"
    )


def test_a_broken_one_is_shown_with_what_is_wrong() -> None:
    result = runner.invoke(app, ["registry", "trial.unimportable"])
    assert result.exit_code == 1
    assert "package  windlass-test-operators 1.0" in result.stdout
    assert "No module named 'windlass_test_operators_missing'" in result.stdout


def test_json_is_a_list_or_the_one_asked_for() -> None:
    listed = json.loads(runner.invoke(app, ["registry", "--json"]).stdout)
    by_name = {entry["name"]: entry for entry in listed}
    assert by_name["trial.no_spec"]["problem"].endswith("its package must be corrected")
    one = json.loads(runner.invoke(app, ["registry", "trial.load_file", "--json"]).stdout)
    assert one == by_name["trial.load_file"]
    assert one["parameters"][2] == {
        "name": "mode",
        "type": '"replace" or "append"',
        "required": False,
        "default": "append",
        "description": "",
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("trial.lod_file", 'did you mean "trial.load_file"?'),
        ("qqq", "registry lists"),
        ("bash", 'did you mean "airflow.bash"?'),
        ("BashOperator", 'write "airflow.bash", or the class path'),
        ("airflow.operators.bash.BashOperator", "is a path of Airflow 2"),
    ],
)
def test_an_unknown_name_is_misuse_with_a_hint(name: str, hint: str) -> None:
    result = runner.invoke(app, ["registry", name])
    assert (result.exit_code, result.stdout) == (2, "")
    assert hint in result.stderr


def test_a_class_path_is_shown_with_what_its_constructor_takes() -> None:
    result = runner.invoke(app, ["registry", "windlass_test_operators_airflow.LoadFile"])
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[lines.index("args") + 1 :] == [
        "file  anything; required",
        "table  anything; required",
        "limits  anything; optional",
        "mode  anything; optional",
    ]
    result = runner.invoke(app, ["registry", "windlass_test_operators_airflow.LoadFiel"])
    assert result.exit_code == 1
    assert "has no 'LoadFiel'" in result.stdout
