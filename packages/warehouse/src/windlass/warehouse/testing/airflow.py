"""For tests of operators: DAGs that Airflow really runs, in the test's process, on a database of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = [
    "DagOutcome",
    "InTask",
    "RunDag",
    "connection_uri",
    "in_task",
    "metadata_database",
    "migrated_template",
    "run_dag",
]

_BUNDLE = "windlass-testing"
_SETTINGS = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": "[]",
}


@dataclass(frozen=True)
class DagOutcome:
    """How a DAG run ended.

    Attributes:
        run_id: The DAG run.
        state: Its state, e.g. `success`.
        states: State of every task; of a mapped task `task_id[map_index]`.
        results: What every task returned, by the same names; nothing for one that returned None.
    """

    run_id: str
    state: str
    states: dict[str, str]
    results: dict[str, Any] = field(repr=False)


RunDag = Callable[..., DagOutcome]
InTask = Callable[[Callable[[Mapping[str, Any]], Any]], Any]


def connection_uri(dsn: str) -> str:
    """Write a libpq DSN as the URI of an Airflow connection, password and all."""
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    login = f"{quote(parts.pop('user', ''), safe='')}:{quote(parts.pop('password', None) or '', safe='')}"
    host, port, database = parts.pop("host", ""), parts.pop("port", 5432), parts.pop("dbname", "")
    return f"postgres://{login}@{quote(str(host), safe='')}:{port}/{quote(database)}?{urlencode(parts)}"


def migrated_template(folder: Path) -> Path:
    """A migrated, empty metadata database (SQLite), made once in a folder however many processes ask for it.

    Args:
        folder: Folder that the processes of a test run share.
    """
    template = folder / "airflow-template.db"
    with (folder / "airflow-template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            home = folder / "airflow-template"
            environment = {**os.environ, **_SETTINGS, "AIRFLOW_HOME": str(home)}
            environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{home}/airflow.db"
            home.mkdir(exist_ok=True)
            done = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=environment,
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise RuntimeError(f"Airflow's database cannot be migrated:\n{done.stdout}{done.stderr}")
            (home / "airflow.db").rename(template)
    return template


@contextmanager
def metadata_database(template: Path, folder: Path) -> Iterator[None]:
    """Point Airflow, in this process, at a copy of a migrated database; afterwards at what it had before.

    Args:
        template: The migrated database.
        folder: Folder for the copy.
    """
    copy = folder / "airflow.db"
    shutil.copyfile(template, copy)
    settings = {**_SETTINGS, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{copy}"}
    # Airflow reads its home when it is first imported; nobody's own is to be touched.
    home = os.environ.get("AIRFLOW_HOME", str(folder))
    try:
        with _environment({**settings, "AIRFLOW_HOME": home}):
            _configure()
            yield
    finally:
        _configure()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process, and put all back as it was afterwards."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _configure() -> None:
    from airflow import settings

    settings.dispose_orm()
    settings.configure_vars()  # type: ignore[no-untyped-call]
    settings.configure_orm()  # type: ignore[no-untyped-call]


def run_dag(
    dag: DAG,
    *,
    connections: Mapping[str, str] | None = None,
    logical_date: datetime | None = None,
    conf: dict[str, Any] | None = None,
) -> DagOutcome:
    """Run a DAG to its end as Airflow does: real task instances, contexts, XComs, retries, deferrals.

    Args:
        dag: The DAG.
        connections: Airflow connections for its tasks, by id: libpq DSNs, or URIs as Airflow writes them.
        logical_date: Logical date of the run; now by default.
        conf: Configuration of the run.
    """
    known = {f"AIRFLOW_CONN_{name.upper()}": _as_uri(given) for name, given in (connections or {}).items()}
    with _environment(known):
        _register(dag)
        return _outcome(dag.test(run_conf=conf, logical_date=logical_date or datetime.now(UTC)))


def _as_uri(given: str) -> str:
    """A connection as Airflow writes it: so it was given, or as a libpq DSN, which may be a URI as well."""
    is_airflows = "://" in given and not given.startswith("postgresql://")
    return given if is_airflows else connection_uri(given)


def in_task(body: Callable[[Mapping[str, Any]], Any], *, run: RunDag = run_dag, **options: Any) -> Any:
    """Run a function as the body of a task, with the context that Airflow gives a task instance.

    Args:
        body: Is called with the context.
        run: What runs the DAG.
        options: As for `run_dag`.

    Returns:
        What the function returned.

    Raises:
        Exception: What the function raised.
    """
    from airflow.sdk import DAG, BaseOperator

    returned: list[Any] = []
    raised: list[Exception] = []

    class Body(BaseOperator):
        def execute(self, context: Mapping[str, Any]) -> None:
            try:
                returned.append(body(context))
            except Exception as error:
                raised.append(error)
                raise

    with DAG("in_task", schedule=None) as dag:
        Body(task_id="body")
    outcome = run(dag, **options)
    if raised:
        raise raised[0]
    if not returned:
        raise RuntimeError(f"Airflow did not run the task: {outcome}")
    return returned[0]


def _register(dag: DAG) -> None:
    """Write the DAG to the metadata database, as the dag processor does with what it has parsed."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name=_BUNDLE))
        session.flush()
        errors: dict[tuple[str, str], str] = {}
        parsed = [LazyDeserializedDAG.from_dag(dag)]
        update_dag_parsing_results_in_db(_BUNDLE, None, parsed, errors, None, set(), session)
    if errors:
        raise RuntimeError(f"Airflow refuses the DAG: {errors}")


def _outcome(run: Any) -> DagOutcome:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(XComModel.task_id, XComModel.map_index, XComModel.value)
        mine = query.where(XComModel.key == "return_value", XComModel.run_id == run.run_id)
        rows = session.execute(mine.where(XComModel.dag_id == run.dag_id)).all()
        instances = run.get_task_instances(session=session)
        return DagOutcome(
            run_id=run.run_id,
            state=str(run.state),
            states={_name(each.task_id, each.map_index): str(each.state) for each in instances},
            results={_name(task, index): _value(value) for task, index, value in rows},
        )


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


def _value(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
