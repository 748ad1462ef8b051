"""What tests share: an Airflow home of their own, a tiny operator package, and a writer of configs."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Airflow reads its home when it is first imported, which collecting the tests already does.
_HOME = tempfile.TemporaryDirectory(prefix="windlass-airflow-")
os.environ["AIRFLOW_HOME"] = _HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"] = f"{_HOME.name}/bundles"

DISTRIBUTION = Path(__file__).parent / "distribution"
sys.path.insert(0, str(DISTRIBUTION))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(DISTRIBUTION), os.environ.get("PYTHONPATH")]))

WriteConfig = Callable[..., Path]


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    return Path(_HOME.name)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated metadata database, to be copied; made once, however many processes run the tests."""
    from windlass_test_stand import migrated_database

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home = folder / "migrated"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = home / "done"
        if not done.exists():
            migrated_database(home)
            done.touch()
    return home / "airflow.db"


@pytest.fixture
def config() -> dict[str, Any]:
    """A sound config that needs no Airflow to be checked."""
    return {
        "dag_id": "sales_daily_load_v1",
        "description": "Land the day's sales.",
        "schedule": "0 5 * * *",
        "timezone": "Europe/Berlin",
        "start_date": "2026-01-01",
        "tasks": {
            "note": {"operator": "trial.note", "args": {"text": "begin"}},
            "run": {"operator": "trial.run_sql", "args": {"sql": "select 1"}, "depends_on": ["note"]},
        },
    }


@pytest.fixture
def write_config() -> WriteConfig:
    """Write a config `<folder>/<dag_id>/dag.json` from data or text; return its path."""

    def write(folder: Path, content: dict[str, Any] | str | bytes, name: str = "sales_daily_load_v1") -> Path:
        path = folder / name / "dag.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps(content, indent=2)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
