"""The README's example does what the README says."""

from __future__ import annotations

import json
import re
from importlib.metadata import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from windlass.dagfactory.cli import app

pytestmark = pytest.mark.integration

_METADATA = metadata("windlass-dagfactory")
# Where the importlib_metadata package is loaded, as by Airflow, its own finder moves the text into a header.
README = _METADATA["Description"] or _METADATA.get_payload()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", str(README), re.DOTALL | re.MULTILINE)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "configs" / "sales_daily_load_v1" / "dag.json"
    path.parent.mkdir(parents=True)
    path.write_text(blocks("json")[0])
    monkeypatch.chdir(tmp_path)
    return path


def test_the_example_is_fine(example: Path) -> None:
    result = CliRunner().invoke(app, ["validate", "configs"])
    assert f"$ windlass-dags validate configs\n{result.stdout}" == blocks("console")[0]


def test_the_mistake_is_reported_as_shown(example: Path) -> None:
    example.write_text(example.read_text().replace('["land"]', '["lnad"]'))
    result = CliRunner().invoke(app, ["validate", "configs"])
    assert result.stdout + result.stderr == blocks("console")[1]


def test_the_python_example_builds_the_dag(example: Path) -> None:
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    assert names["dag"].dag_id == json.loads(example.read_text())["dag_id"]  # type: ignore[attr-defined]
