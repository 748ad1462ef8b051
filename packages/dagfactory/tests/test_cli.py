"""The command line: what it prints where, its exit codes, and that it needs no Airflow."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from windlass.dagfactory.cli import app

pytestmark = pytest.mark.unit
WriteConfig = Callable[..., Path]

runner = CliRunner()


@pytest.fixture
def configs(tmp_path: Path, config: dict[str, Any], write_config: WriteConfig) -> Path:
    write_config(tmp_path / "configs", config)
    other = config | {"dag_id": "crm_daily_sync_v1", "schedule": None}
    write_config(tmp_path / "configs", other, "crm_daily_sync_v1")
    return tmp_path / "configs"


def test_sound_configs_are_fine(configs: Path) -> None:
    result = runner.invoke(app, ["validate", str(configs)])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "2 configs, 4 tasks: fine\n", "")


def test_tasks_in_groups_are_counted_and_groups_are_not(
    configs: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    task = config["tasks"].popitem()[1] | {"depends_on": []}
    groups = {"outer": {"tasks": {"a": task, "inner": {"tasks": {"b": task, "c": task}}}}}
    write_config(configs, config | {"tasks": groups})
    assert runner.invoke(app, ["validate", str(configs)]).stdout == "2 configs, 5 tasks: fine\n"


def test_mistakes_are_shown_with_their_line(
    configs: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    path = write_config(configs, config | {"timezone": "Europe/Berln"})
    result = runner.invoke(app, ["validate", str(configs)])
    assert result.exit_code == 1
    assert result.stdout == (
        f'{path}:5:15: error WDF202: "Europe/Berln" is no time zone [$.timezone]\n'
        '  5 |   "timezone": "Europe/Berln",\n'
        "    |               ^^^^^^^^^^^^^^\n"
        '    = did you mean "Europe/Berlin"?\n'
    )
    assert result.stderr == "2 configs, 4 tasks: 1 mistake in 1 file\n"


@pytest.mark.parametrize("flags", [["--json"], ["--format", "json"]])
def test_json_is_a_list_of_diagnostics(
    configs: Path, config: dict[str, Any], write_config: WriteConfig, flags: list[str]
) -> None:
    assert json.loads(runner.invoke(app, ["validate", str(configs), *flags]).stdout) == []
    path = write_config(configs, config | {"timezone": "Europe/Berln"})
    result = runner.invoke(app, ["validate", str(configs), *flags])
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {
            "code": "WDF202",
            "file": str(path),
            "line": 5,
            "column": 15,
            "path": "$.timezone",
            "message": '"Europe/Berln" is no time zone',
            "suggestion": 'did you mean "Europe/Berlin"?',
            "severity": "error",
        }
    ]


def test_sarif_names_rule_and_region(
    configs: Path, config: dict[str, Any], write_config: WriteConfig
) -> None:
    write_config(configs, config | {"timezone": "Europe/Berln", "owner": 3})
    log = json.loads(runner.invoke(app, ["validate", str(configs), "--format", "sarif"]).stdout)
    [run] = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["WDF103", "WDF202"]
    zone = run["results"][0]
    assert (zone["ruleId"], zone["ruleIndex"], zone["level"]) == ("WDF202", 1, "error")
    assert zone["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 5,
        "startColumn": 15,
        "endColumn": 29,
    }


def test_a_file_may_be_named_itself_and_twice(configs: Path) -> None:
    path = str(configs / "sales_daily_load_v1" / "dag.json")
    result = runner.invoke(app, ["validate", path, path, str(configs)])
    assert result.stdout == "2 configs, 4 tasks: fine\n"


@pytest.mark.parametrize("arguments", [["nowhere"], ["."], []])
def test_misuse_is_told_apart(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["validate", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_defaults_that_no_config_is_below_of_are_checked(configs: Path) -> None:
    (configs / "defaults.json").write_text('{"owner": "team"}')
    shared = configs / "next" / "defaults.yaml"
    shared.parent.mkdir()
    shared.write_text("timezone: Europe/Berln\nownr: team\ncatchup: true\nschedule: '@daily'\n")
    result = runner.invoke(app, ["validate", str(configs), "--json"])
    assert result.exit_code == 1
    found = {(one["code"], one["file"], one["line"]) for one in json.loads(result.stdout)}
    assert found == {("WDF202", str(shared), 1), ("WDF101", str(shared), 2)}
    assert result.stderr == "2 configs, 2 files of defaults, 4 tasks: 2 mistakes in 1 file\n"
    shared.write_text("defaults: {operators: {trial.note: {args: {text: '{% include \"x\" %}{{ dss }}'}}}}\n")
    for path in (shared, shared.parent):
        result = runner.invoke(app, ["validate", str(path)])
        assert (result.exit_code, result.stderr) == (
            1,
            "0 configs, 1 file of defaults, 0 tasks: 1 mistake in 1 file\n",
        )
        assert f"{shared}:1:" in result.stdout
        assert "WDF704" in result.stdout
    shared.write_text("defaults: {operators: {trial.load_file: {args: {tabel: a}}, trial.nte: {pool: a}}}\n")
    result = runner.invoke(app, ["validate", str(shared), "--json"])
    assert [one["code"] for one in json.loads(result.stdout)] == ["WDF303", "WDF301"]
    shared.write_text("owner: team\n")
    result = runner.invoke(app, ["validate", str(shared)])
    assert (result.exit_code, result.stdout) == (0, "0 configs, 1 file of defaults, 0 tasks: fine\n")


def test_the_name_of_a_path_that_is_not_there_is_suggested(configs: Path) -> None:
    result = runner.invoke(app, ["validate", str(configs / "sales_daily_load_v1" / "dags.json")])
    assert result.exit_code == 2
    assert 'did you mean "dag.json"?' in result.stderr
    result = runner.invoke(app, ["validate", str(configs / "nowhere" / "dag.json")])
    assert (result.exit_code, "did you mean" in result.stderr) == (2, False)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("tasks.g.y", 'did you mean "$.tasks.g.tasks.y"?'),
        ("g.y", 'did you mean "$.tasks.g.tasks.y"?'),
        ("note.args", 'did you mean "$.tasks.note.args"?'),
        ("$.tasks.noet.args.text", 'did you mean "$.tasks.note.args.text"?'),
        ("tasks.noet.retry", 'did you mean "$.tasks.note"?'),
        ("tasks.note.nothing", "at $.tasks.note there are args, operator, trigger_rule"),
        ("tasks.zzz", "at $.tasks there are g, note, run"),
        ("shedule", 'did you mean "$.schedule"?'),
        ("tasks.run.depends_on[7]", "at $.tasks.run.depends_on there are 0"),
        ("zzz['it\\'s']", "at $ there are "),
        ("", "at $ there are "),
    ],
)
def test_a_path_that_is_not_there_is_answered_with_one_that_is(
    config: dict[str, Any], tmp_path: Path, write_config: WriteConfig, path: str, hint: str
) -> None:
    config["tasks"]["g"] = {"tasks": {"y": {"operator": "trial.note", "args": {"it's": 1}}}}
    result = runner.invoke(app, ["explain", str(write_config(tmp_path, config)), path])
    assert result.exit_code == 2
    assert f"is at {path}; {hint}" in result.stderr


@pytest.mark.parametrize(
    ("command", "value", "told"),
    [
        ("validate", "xml", "there is no 'xml'; there are text, json, sarif"),
        ("validate", "sarf", "there is no 'sarf'; did you mean \"sarif\"?"),
        ("graph", "png", "there is no 'png'; there are svg, mermaid"),
    ],
)
def test_a_format_that_is_not_there_is_answered_with_those_that_are(
    configs: Path, command: str, value: str, told: str
) -> None:
    result = runner.invoke(app, [command, str(configs), "--format", value])
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in " ".join(result.stderr.split())
    assert "Value error" not in result.stderr


def test_a_config_whose_name_is_no_utf8_is_a_finding(configs: Path) -> None:
    (configs / "caf\udce9_daily_load_v1.dag.json").write_text("{}")
    result = runner.invoke(app, ["validate", str(configs), "--json"])
    assert result.exit_code == 1
    assert [found["code"] for found in json.loads(result.stdout)] == ["WDF001"]


def test_a_config_that_is_a_link_out_of_the_folder_is_not_quoted(configs: Path, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("confidential\n")
    (configs / "hr_daily_load_v1.dag.json").symlink_to(tmp_path / "private")
    result = runner.invoke(app, ["validate", str(configs)])
    assert result.exit_code == 1
    assert "WDF001" in result.stdout
    assert "leads out of the folder" in result.stdout
    assert "confidential" not in result.output


def test_stubs_are_written_beside_any_airflow(configs: Path, tmp_path: Path) -> None:
    out = tmp_path / "dags"
    first = runner.invoke(app, ["stubs", str(configs), "--out", str(out)])
    assert (first.exit_code, first.stdout) == (0, "2 configs: 2 written, 0 removed\n")
    (configs / "crm_daily_sync_v1" / "dag.json").unlink()
    again = runner.invoke(app, ["stubs", str(configs), "--out", str(out), "--json"])
    done = json.loads(again.stdout)
    assert done == {"configs": 1, "written": [], "removed": ["crm_daily_sync_v1/dag.json"]}
    (configs / "sales_daily_load_v1" / "dag.json").unlink()
    last = runner.invoke(app, ["stubs", str(configs), "--out", str(out)])
    assert last.stdout == "0 configs: 0 written, 1 removed\n"  # asked for by hand, it is no lost mount


def test_stubs_of_other_configs_are_not_removed_without_being_asked(configs: Path, tmp_path: Path) -> None:
    out, others = tmp_path / "dags", tmp_path / "others"
    others.mkdir()
    assert runner.invoke(app, ["stubs", str(configs), "--out", str(out)]).exit_code == 0
    before = sorted(out.rglob("*.py"))
    for lost in (None, out / ".windlass" / "state.json"):  # a clone has the stubs and not what is beside them
        if lost is not None:
            lost.unlink()
        result = runner.invoke(app, ["stubs", str(others), "--out", str(out)])
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            f"windlass-dags: {out} holds the stubs of {configs} (2 stubs): name another folder by --out, "
            "or remove them by --force\n"
        )
        assert sorted(out.rglob("*.py")) == before
    forced = runner.invoke(app, ["stubs", str(others), "--out", str(out), "--force"])
    assert (forced.exit_code, forced.stdout) == (0, "0 configs: 0 written, 2 removed\n")


def test_stubs_of_configs_that_were_renamed_or_moved_along_are_nobody_elses(
    configs: Path, tmp_path: Path
) -> None:
    top = tmp_path / "one"
    top.mkdir()
    configs.rename(top / "configs")
    runner.invoke(app, ["stubs", str(top / "configs"), "--out", str(top / "dags")])
    top.rename(tmp_path / "two")
    moved = tmp_path / "two"
    result = runner.invoke(app, ["stubs", str(moved / "configs"), "--out", str(moved / "dags")])
    assert (result.exit_code, result.stdout) == (0, "2 configs: 2 written, 0 removed\n")
    (moved / "configs").rename(moved / "pipelines")
    assert (
        runner.invoke(app, ["stubs", str(moved / "pipelines"), "--out", str(moved / "dags")]).exit_code == 0
    )


def test_a_file_of_ones_own_is_no_stub_and_is_not_overwritten(configs: Path, tmp_path: Path) -> None:
    own = tmp_path / "dags" / "crm_daily_sync_v1" / "dag.json.py"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    for flags in ([], ["--force"]):
        result = runner.invoke(app, ["stubs", str(configs), "--out", str(tmp_path / "dags"), *flags])
        assert result.exit_code == 1
        assert "is no stub but somebody's own file; rename one of the two" in result.stderr
        assert own.read_text() == "# mine\n"


def test_folders_are_made_for_what_is_written(configs: Path, tmp_path: Path) -> None:
    schema, picture = tmp_path / "a" / "b" / "dag.schema.json", tmp_path / "c" / "d" / "sales.svg"
    assert runner.invoke(app, ["schema", "--out", str(schema)]).exit_code == 0
    assert json.loads(schema.read_text())["type"] == "object"
    config = str(configs / "sales_daily_load_v1")
    assert runner.invoke(app, ["graph", config, "--out", str(picture)]).exit_code == 0
    assert picture.read_text().startswith("<svg")


def test_a_mistyped_command_is_answered_with_the_one_that_is() -> None:
    result = runner.invoke(app, ["valdate", "x"])
    assert result.exit_code == 2
    assert "'validate'?" in result.stderr


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("command", [None, *typer.main.get_command(app).commands])  # type: ignore[attr-defined]
def test_no_line_of_help_ends_before_the_terminal_does(command: str | None, width: int) -> None:
    arguments = ["--help"] if command is None else [command, "--help"]
    done = runner.invoke(app, arguments, env={"COLUMNS": str(width)})
    assert max(map(len, done.stdout.splitlines())) == width
    lines = [line.strip() for line in done.stdout.splitlines()]
    for line, following in itertools.pairwise(lines):
        if line and following and not {line[0], following[0]} & set("╭│╰"):
            assert len(line) + 1 + len(following.split()[0]) > width - 2, line


def test_stubs_that_cannot_be_written_are_told_of(configs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = runner.invoke(app, ["stubs", str(configs), "--out", str(tmp_path / "file")])
    assert result.exit_code == 1
    assert "check permissions" in result.stderr
    assert runner.invoke(app, ["stubs", str(tmp_path / "nowhere"), "--out", str(tmp_path)]).exit_code == 2
    (configs / f"{'x' * 246}.dag.json").write_text("{}")
    result = runner.invoke(app, ["stubs", str(configs), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "rename it" in result.stderr


def test_registered_operators_are_checked_without_airflow(configs: Path) -> None:
    code = (
        "import sys, windlass.dagfactory.cli as cli\n"
        "try: cli.main()\n"
        "except SystemExit as done: print(done.code, 'airflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "validate", str(configs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2 configs, 4 tasks: fine", "0 False"]


@pytest.mark.parametrize("operator", ["trial.exiting", "windlass_test_operators_exiting.Exit"])
def test_a_module_that_exits_is_a_finding_and_ends_no_check_of_others(
    configs: Path, config: dict[str, Any], write_config: WriteConfig, operator: str
) -> None:
    config["tasks"]["run"] = {"operator": operator}
    write_config(configs, config)
    other = config | {"dag_id": "zoo_daily_load_v1", "timezone": "Mars"}
    write_config(configs, other | {"tasks": {"a": {"operator": "trial.note"}}}, "zoo_daily_load_v1")
    result = runner.invoke(app, ["validate", str(configs), "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [(entry["code"], entry["path"]) for entry in found] == [
        ("WDF302", "$.tasks.run.operator"),
        ("WDF202", "$.timezone"),
    ]
    assert "SystemExit: 7" in found[0]["message"]


def test_the_command_is_installed() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "windlass-dags"), "validate", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "--format" in done.stdout


def test_the_version_is_told() -> None:
    result = runner.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"windlass-dags {version('windlass-dagfactory')}\n")


def test_help_imports_no_more_than_it_needs() -> None:
    code = (
        "import sys, windlass.dagfactory.cli as cli\n"
        "try: cli.main()\n"
        "except SystemExit: print([name for name in ('airflow', 'pydantic', 'rich') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", list(typer.main.get_command(app).commands))  # type: ignore[attr-defined]
def test_every_command_has_an_example_and_takes_json(command: str) -> None:
    text = runner.invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    assert f"Example: windlass-dags {command} " in text
    assert "--json" in text
