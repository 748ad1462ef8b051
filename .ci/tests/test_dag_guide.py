"""The guide to configs does what it shows: every file is written, every command run, in the page's order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from windlass.dagfactory.cli import app
from windlass.dagfactory.discovery import ConfigFile, discover
from windlass.dagfactory.validation import validate_configs

pytestmark = pytest.mark.integration

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "dag-configuration.md").read_text()
BLOCK = re.compile(r"(?:<!-- file: (\S+?)(, broken)? -->\n)?```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> str:
    words = shlex.split(line)
    if words[0] == "export":
        monkeypatch.setenv(*words[1].split("=", 1))
        return ""
    assert words[0] == "windlass-dags", line
    result = CliRunner().invoke(app, words[1:])
    told = [
        text for text in result.stderr.splitlines(keepends=True) if not text.startswith("windlass-dags: ")
    ]
    return result.stdout + "".join(told)


def test_every_file_and_command_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    broken = set()
    written = ran = 0
    for name, is_broken, language, text in BLOCK.findall(GUIDE):
        if name:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            written += 1
            broken |= {name} if is_broken else set()
        elif language == "console":
            for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, expected = command.partition("\n")
                assert run(line, monkeypatch) == expected, line
                ran += 1
    assert written > 8
    assert ran > 6
    files = [ConfigFile(f.name, f.path, str(tmp_path)) for f in discover(tmp_path).configs]
    found = validate_configs(files)[1]
    assert {diagnostic.file for diagnostic in found} == broken, [d for d in found if d.file not in broken]


@pytest.mark.parametrize("page", ["packages/dagfactory/README.md", "docs/dags-in-airflow.md"])
def test_airflow_does_not_skip_the_line_that_loads_a_folder(tmp_path: Path, page: str) -> None:
    from airflow.utils.file import might_contain_dag

    text = (Path(__file__).resolve().parents[2] / page).read_text()
    [line] = [span for span in text.split("`") if "load_folder(" in span]
    file = tmp_path / "one_line.py"
    file.write_text(f"{line}\n")
    assert might_contain_dag(str(file), safe_mode=True)
