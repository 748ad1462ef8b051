"""A real Airflow for tests: a home with a migrated metadata database, bundles, and a dag processor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

__all__ = ["Stand", "airflow", "migrated_database", "until"]

_PROGRAMS = Path(sys.executable).parent


def airflow(
    *arguments: str, environment: dict[str, str], check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command of Airflow's."""
    command = [str(_PROGRAMS / "airflow"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def migrated_database(home: Path) -> Path:
    """Make a metadata database, to be copied."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    airflow("db", "migrate", environment=environment)
    return home / "airflow.db"


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> float:
    """Wait until something is so; return how long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - begin


class Stand:
    """One Airflow home with a copy of the migrated database, and bundles of configs over it."""

    def __init__(self, home: Path, database: Path) -> None:
        self.home = home
        self.configs = home / "configs 'x'"
        self.configs.mkdir()
        shutil.copy(database, home / "airflow.db")
        self.url = f"sqlite:///{home}/airflow.db"
        self.environment = os.environ | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "AIRFLOW__DAG_PROCESSOR__FILE_PARSING_SORT_MODE": "modified_time",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        }
        self.use_bundles([self.bundle("examples", self.configs)])
        self.stubs = home / "bundles" / "examples" / "stubs"

    @staticmethod
    def bundle(name: str, configs: Path, **kwargs: Any) -> dict[str, Any]:
        """Describe a bundle of configs, as Airflow's configuration does."""
        return {
            "name": name,
            "classpath": "windlass.dagfactory.bundle.ConfigDagBundle",
            "kwargs": {"configs": str(configs), **kwargs},
        }

    def use_bundles(self, bundles: Sequence[dict[str, Any]]) -> None:
        """Set Airflow up with these bundles."""
        self.environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the metadata database."""
        engine = create_engine(self.url)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(statement))]
        finally:
            engine.dispose()

    def live(self) -> set[str]:
        """Name the DAGs that are not stale."""
        return {row[0] for row in self.query("select dag_id from dag where not is_stale")}

    def errors(self) -> dict[str, tuple[int, str]]:
        """Tell the import errors by file: the row's id and the text."""
        rows = self.query("select filename, id, stacktrace from import_error")
        return {filename: (identity, stacktrace) for filename, identity, stacktrace in rows}

    def sources(self) -> dict[str, str]:
        """Tell what the Code tab shows of each DAG."""
        rows = self.query("select dag_id, source_code from dag_code order by last_updated")
        return dict(rows)  # type: ignore[arg-type]

    def python(self, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run code in a process of its own, set up as this Airflow is."""
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(
            command,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextmanager
    def processor(self) -> Iterator[None]:
        """Have a dag processor."""
        log_file = self.home / "processor.log"
        with log_file.open("a") as log:
            process = subprocess.Popen(
                [str(_PROGRAMS / "airflow"), "dag-processor"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield
                assert process.poll() is None, log_file.read_text()[-3000:]
            finally:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children. Airflow exits by an exception, which what it is at may swallow."""
    for _ in range(12):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        return
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    raise AssertionError("the dag processor does not end")
