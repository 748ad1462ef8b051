"""A checked config becomes an `airflow.sdk.DAG`, in little more than the time of the constructors themselves.

The serialized form depends on what the config means and on nothing else: neither on absolute paths, nor on
the order of keys, nor on the day; otherwise every parse would make a new DAG version.
"""

from __future__ import annotations

from typing import Any, cast

from airflow.sdk import DAG, Param

from windlass.dagfactory.analysis import Analysis
from windlass.dagfactory.build.airflow_settings import bool_setting, int_setting
from windlass.dagfactory.build.notify import NotifierMaker
from windlass.dagfactory.build.refusal import RefusedError
from windlass.dagfactory.build.schedule import make_moment, make_schedule
from windlass.dagfactory.build.tasks import TaskBuilder, make_compensation
from windlass.dagfactory.build.wiring import Plan
from windlass.dagfactory.checks import Calls, is_file_name
from windlass.dagfactory.checks.params import is_param_schema, ordered_params
from windlass.dagfactory.diagnostics import Code, Finding
from windlass.dagfactory.docs import default_doc
from windlass.dagfactory.errors import ConfigError
from windlass.dagfactory.model import DagConfig

__all__ = ["ConfigDag", "build_dag"]


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


def build_dag(analysis: Analysis) -> DAG:
    """Build the DAG of a config.

    Args:
        analysis: The config, analysed.

    Raises:
        ConfigError: The config has mistakes, or Airflow or an operator refuses it.
    """
    config, calls = analysis.checked(), cast("Calls", analysis.calls)
    try:
        dag = _dag(config, analysis)
        plan = Plan(dag, config)
        builder = TaskBuilder(dag, config, calls, analysis.file, plan.tasks)
        builder.build_all()
        if builder.refused:
            raise ConfigError(analysis.diagnostics(list(dict.fromkeys(builder.refused.values()))))
        _wire(plan, builder.tasks, dag)
    except RefusedError as error:
        raise ConfigError(analysis.diagnostics([error.finding])) from error
    return dag


def _wire(plan: Plan, tasks: dict[str, Any], dag: DAG) -> None:
    try:
        plan.wire(tasks)
        if any(planned.config.setup or planned.config.teardown for planned in plan.tasks.values()):
            dag.validate_setup_teardown()  # type: ignore[no-untyped-call]
    except Exception as error:
        message = f"Airflow refuses the dependencies: {error}"
        raise RefusedError(Finding(Code.REFUSED_BY_AIRFLOW, ("tasks",), message, at="key")) from error


def _dag(config: DagConfig, analysis: Analysis) -> ConfigDag:
    try:
        dag = ConfigDag(config.dag_id, **_arguments(config, analysis))
    except RefusedError:
        raise
    except Exception as error:
        path = ("schedule",) if isinstance(analysis.data.get("schedule"), dict) else ()
        raise RefusedError(
            Finding(Code.REFUSED_BY_AIRFLOW, path, f"Airflow refuses the DAG: {error}")
        ) from error
    dag.config_path = analysis.file.path
    return dag


def _arguments(config: DagConfig, analysis: Analysis) -> dict[str, Any]:
    continuous = config.schedule == "@continuous"
    failed, runs = config.max_consecutive_failed_dag_runs, config.max_active_runs
    arguments: dict[str, Any] = {
        "description": config.description,
        "schedule": make_schedule(config),
        "start_date": make_moment(config.start_date, config.timezone),
        "end_date": make_moment(config.end_date, config.timezone),
        "catchup": config.catchup,
        # Passed, because Airflow would look them up in its configuration for each DAG: a tenth of a build.
        "max_active_runs": runs or (1 if continuous else int_setting("core", "max_active_runs_per_dag")),
        "max_active_tasks": config.max_active_tasks or int_setting("core", "max_active_tasks_per_dag"),
        "max_consecutive_failed_dag_runs": (
            int_setting("core", "max_consecutive_failed_dag_runs_per_dag") if failed is None else failed
        ),
        "disable_bundle_versioning": bool_setting("dag_processor", "disable_bundle_versioning"),
        "dagrun_timeout": config.dagrun_timeout,
        "tags": config.tags,
        "params": {name: _param(value) for name, value in ordered_params(config.params)},
        "doc_md": _doc(config, analysis),
    }
    for name in _AS_THEY_STAND & config.model_fields_set:
        if (value := getattr(config, name)) is not None:
            arguments[name] = value
    if config.notify is not None:
        arguments.update(NotifierMaker().callbacks(config.notify))
    undo = make_compensation(cast("Calls", analysis.calls), (), config.dag_id, analysis.file)
    if undo is not None:
        arguments["on_failure_callback"] = [undo, *arguments.get("on_failure_callback", ())]
    return arguments


_AS_THEY_STAND = frozenset(
    {
        "dag_display_name",
        "fail_fast",
        "is_paused_upon_creation",
        "owner_links",
        "render_template_as_native_obj",
    }
)


def _param(value: Any) -> Any:
    return Param(**value) if is_param_schema(value) else value


def _doc(config: DagConfig, analysis: Analysis) -> str:
    doc = config.doc_md
    if doc is None:
        return default_doc(config)
    if is_file_name(doc):
        doc = (analysis.file.folder / doc).read_text(encoding="utf-8")
    # Airflow opens a doc_md that ends in ".md", relative to wherever the process runs.
    return f"{doc}\n" if doc.endswith(".md") else doc
