"""A checked config becomes an `airflow.sdk.DAG`, in little more than the time of the constructors themselves.

The serialized form depends on what the config means and on nothing else: neither on absolute paths, nor on
the order of keys, nor on the day; otherwise every parse would make a new DAG version.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable, CronTriggerTimetable
from airflow.sdk.configuration import conf

from windlass.dagfactory.analysis import Analysis
from windlass.dagfactory.checks import Call, is_file_name
from windlass.dagfactory.diagnostics import Code, Finding
from windlass.dagfactory.docs import default_doc
from windlass.dagfactory.errors import ConfigError, DagFactoryError
from windlass.dagfactory.model import DagConfig, TaskConfig, task_settings
from windlass.dagfactory.signature import import_operator

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import BaseOperator

__all__ = ["ConfigDag", "build_dag"]

_RETRY_DELAY = timedelta(minutes=5)


class ConfigDag(DAG):
    """A DAG whose source is its config: the Code tab shows the config, and Jinja finds templates beside it.

    Airflow sets `fileloc` to the Python file it parsed, then calls `resolve_template_files`, then serializes
    and stores the source found at `fileloc`, which is no part of the hash. This is where the config takes its
    place.
    """

    config_path: str

    def __hash__(self) -> int:
        """Hash what equal DAGs share; Airflow's own hash, taken for each dependency, costs a tenth."""
        return hash(self.dag_id)

    def resolve_template_files(self) -> None:
        """Let the config be the DAG's file before Airflow looks for templates and stores the source."""
        self.fileloc = self.config_path
        super().resolve_template_files()  # type: ignore[no-untyped-call]


class _RefusedError(DagFactoryError):
    """Airflow or an operator refuses what the config says."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


def build_dag(analysis: Analysis) -> DAG:
    """Build the DAG of a config.

    Args:
        analysis: The config, analysed.

    Raises:
        ConfigError: The config has mistakes, or Airflow or an operator refuses it.
    """
    config = analysis.checked()
    try:
        dag = _dag(config, analysis)
    except _RefusedError as error:
        raise ConfigError(analysis.diagnostics([error.finding])) from error
    refused: list[Finding] = []
    tasks: dict[str, BaseOperator] = {}
    for task_id, task in config.tasks.items():
        try:
            tasks[task_id] = _task(dag, task_id, task, config, analysis)
        except _RefusedError as error:
            refused.append(error.finding)
    if refused:
        raise ConfigError(analysis.diagnostics(refused))
    for task_id, task in config.tasks.items():
        if task.depends_on:
            tasks[task_id].set_upstream([tasks[name] for name in task.depends_on])
    return dag


def _dag(config: DagConfig, analysis: Analysis) -> ConfigDag:
    continuous = config.schedule == "@continuous"
    try:
        runs = config.max_active_runs or (
            1 if continuous else _int_setting("core", "max_active_runs_per_dag")
        )
        # Passed, because Airflow would look them up in its configuration for each DAG: a tenth of a build.
        dag = ConfigDag(
            config.dag_id,
            description=config.description,
            schedule=_schedule(config),
            start_date=_moment(config.start_date, config.timezone),
            end_date=_moment(config.end_date, config.timezone),
            catchup=config.catchup,
            max_active_runs=runs,
            max_active_tasks=config.max_active_tasks or _int_setting("core", "max_active_tasks_per_dag"),
            max_consecutive_failed_dag_runs=_int_setting("core", "max_consecutive_failed_dag_runs_per_dag"),
            disable_bundle_versioning=_bool_setting("dag_processor", "disable_bundle_versioning"),
            dagrun_timeout=config.dagrun_timeout,
            tags=config.tags,
            params=dict(config.params),
            doc_md=_doc(config, analysis),
        )
    except Exception as error:
        raise _RefusedError(
            Finding(Code.REFUSED_BY_AIRFLOW, (), f"Airflow refuses the DAG: {error}")
        ) from error
    dag.config_path = analysis.file.path
    return dag


def _task(dag: DAG, task_id: str, task: TaskConfig, config: DagConfig, analysis: Analysis) -> BaseOperator:
    call = analysis.calls[task_id]
    at = ("tasks", task_id, "operator")
    try:
        operator = import_operator(call.operator)
    except DagFactoryError as error:
        raise _RefusedError(Finding(Code.UNUSABLE_OPERATOR, at, str(error))) from error
    arguments = dict(call.arguments)
    if call.files:
        arguments.update(_file_arguments(operator, call, analysis.file.folder))
    try:
        return operator(task_id=task_id, dag=dag, **_airflow_arguments(task, config), **arguments)
    except (Exception, SystemExit) as error:
        message = f"{operator.__name__} refuses its parameters: {error}"
        path = ("tasks", task_id, "args") if task.args else ("tasks", task_id)
        raise _RefusedError(Finding(Code.REFUSED_BY_OPERATOR, path, message, at="key")) from error


def _airflow_arguments(task: TaskConfig, config: DagConfig) -> dict[str, Any]:
    arguments = task_settings(config, task)
    if task.doc_md is not None:
        arguments["doc_md"] = task.doc_md
    if "timeout" in arguments:
        arguments["execution_timeout"] = arguments.pop("timeout")
    if "retry" in arguments:
        arguments.update(_retry_arguments(arguments.pop("retry")))
    return arguments


def _retry_arguments(retry: Mapping[str, Any]) -> dict[str, Any]:
    """Say a retry in Airflow's words."""
    delay, cap, multiplier = (
        retry.get("delay", _RETRY_DELAY),
        retry.get("cap"),
        retry.get("multiplier", 1),
    )
    arguments: dict[str, Any] = {"retries": retry["attempts"] - 1, "retry_delay": delay}
    if multiplier > 1:
        arguments["retry_exponential_backoff"] = multiplier
        if cap is not None:
            arguments["max_retry_delay"] = cap
    elif cap is not None:  # Airflow caps only waits that grow
        arguments["retry_delay"] = min(delay, cap)
    return arguments


def _file_arguments(operator: type[BaseOperator], call: Call, folder: Path) -> Mapping[str, Any]:
    """Give the operator its files by absolute path, but never let one into the serialized DAG.

    Template fields are serialized as they stand. There the path is built from the DAG's folder when it is
    rendered; where the operator's suffixes make Airflow read the file itself, Jinja looks it up in that
    folder.
    """

    def located(name: str, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [located(name, item) for item in value]
        if not isinstance(value, str):
            return value
        relative = os.path.normpath(value)
        if name not in operator.template_fields:
            return str(folder / relative)
        if relative.endswith(tuple(operator.template_ext)):
            return relative
        return f"{{{{ dag.folder }}}}/{relative}"

    return {name: located(name, call.arguments[name]) for name in sorted(call.files)}


def _schedule(config: DagConfig) -> Any:
    """Make the timetable here: without a start date Airflow would read cron in its own default time zone."""
    schedule = config.schedule
    if schedule is None or schedule in ("@once", "@continuous"):
        return schedule
    intervals = _bool_setting("scheduler", "create_cron_data_intervals")
    timetable = CronDataIntervalTimetable if intervals else CronTriggerTimetable
    return timetable(schedule, timezone=pendulum.timezone(config.timezone))


def _moment(moment: datetime | None, zone: str) -> datetime | None:
    if moment is None:
        return None
    tz = pendulum.timezone(zone)
    return pendulum.instance(moment, tz=tz).in_timezone(tz)


def _doc(config: DagConfig, analysis: Analysis) -> str:
    doc = config.doc_md
    if doc is None:
        return default_doc(config)
    if is_file_name(doc):
        doc = (analysis.file.folder / doc).read_text(encoding="utf-8")
    # Airflow opens a doc_md that ends in ".md", relative to wherever the process runs.
    return f"{doc}\n" if doc.endswith(".md") else doc


@cache
def _int_setting(section: str, key: str) -> int:
    value: int = conf.getint(section, key)
    return value


@cache
def _bool_setting(section: str, key: str) -> bool:
    value: bool = conf.getboolean(section, key)
    return value
