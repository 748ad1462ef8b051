"""The README's examples do what they show, and its tables agree with the code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points, metadata
from pathlib import Path
from typing import Any

import pytest

from windlass.warehouse import errors

# The text that the wheel carries, so that it is tested without the source too. Where the importlib_metadata
# package is loaded, as by Airflow, its own finder moves the text into a header.
_METADATA = metadata("windlass-warehouse")
README = str(_METADATA["Description"] or _METADATA.get_payload())


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def run_python(code: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AIRFLOW_HOME": str(folder / "airflow")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.integration
def test_the_example_from_the_readme_runs(server_folder: Path, tmp_path: Path) -> None:
    example, _, _ = blocks("python")
    server_folder.mkdir()
    code = example.replace('"warehouse-data"', repr(str(server_folder)))
    assert code != example
    assert run_python(code, tmp_path)[-3:] == [
        "2 landed",
        "1 published, 1 rejected",
        "2 out_of_range -1.00 breaks dim_product_unit_price_check: CHECK ((unit_price >= (0)::numeric))",
    ]


@pytest.mark.integration
def test_the_dag_from_the_readme_is_one(tmp_path: Path) -> None:
    _, example, _ = blocks("python")
    shown = run_python(f"{example}\nprint(dag.task_dict['publish'].upstream_task_ids)", tmp_path)
    assert shown[-1] == "{'fetch'}"


@pytest.mark.integration
def test_the_test_from_the_readme_passes(run_dag, warehouse, tmp_path: Path) -> None:
    _, _, example = blocks("python")
    # Airflow keeps the source of a DAG's file.
    file = tmp_path / "test_sales.py"
    file.write_text(example)
    names: dict[str, Any] = {}
    exec(compile(example, str(file), "exec"), names)
    names["test_the_days_sales_are_landed"](run_dag, warehouse, tmp_path)


@pytest.mark.unit
def test_the_tasks_from_the_readme_are_valid() -> None:
    (example,) = blocks("json")
    tasks = json.loads(example)
    ours = [each for each in entry_points(group="windlass.operators") if each.name.startswith("warehouse.")]
    specs = {each.name: each.load() for each in ours}
    assert {task["operator"] for task in tasks.values()} == set(specs)
    for task in tasks.values():
        specs[task["operator"]].parameters.model_validate(task["args"])
        assert tasks.keys() >= set(task.get("depends_on", ()))


@pytest.mark.unit
def test_the_readme_lists_every_error() -> None:
    listed = {
        name: code for code, name in re.findall(r"^\| (WWH\d{3}) \| `(\w+)` \|", README, flags=re.MULTILINE)
    }
    defined = {name: getattr(errors, name).code for name in errors.__all__ if name.endswith("Error")}
    assert listed == defined
