"""A plan becomes an `airflow.sdk.DAG`, in little more than the time of the constructors themselves.

The serialized form depends on what the config means and on nothing else: neither on absolute paths, nor on
the order of keys, nor on the day; otherwise every parse would make a new DAG version.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, TaskGroup

from windlass.dagfactory.build.airflow_settings import bool_setting, int_setting
from windlass.dagfactory.build.notify import add_callbacks, make_compensation
from windlass.dagfactory.build.refusal import Refusal, RefusedError
from windlass.dagfactory.build.schedule import make_moment, make_schedule
from windlass.dagfactory.build.tasks import TaskBuilder
from windlass.dagfactory.plan.model import DagPlan

if TYPE_CHECKING:
    from windlass.dagfactory.analysis import Analysis

__all__ = ["ConfigDag", "build_dag", "construct", "construct_checked"]


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
    from windlass.dagfactory.plan.make import make_plan

    return construct_checked(make_plan(analysis), analysis)


def construct_checked(plan: DagPlan, analysis: Analysis) -> DAG:
    """Construct the DAG of a plan just made; what is refused is located in the config.

    Args:
        plan: The plan.
        analysis: What it was made of.

    Raises:
        ConfigError: Airflow or an operator refuses it.
    """
    try:
        return construct(plan, analysis.file.path)
    except RefusedError as error:
        from windlass.dagfactory.diagnostics import Code, Finding
        from windlass.dagfactory.errors import ConfigError

        codes = {
            "airflow": Code.REFUSED_BY_AIRFLOW,
            "notifier": Code.UNUSABLE_NOTIFIER,
            "operator": Code.REFUSED_BY_OPERATOR,
            "unusable": Code.UNUSABLE_OPERATOR,
        }
        findings = [
            Finding(codes[kind], path, message, suggestion, at="value" if kind == "unusable" else "key")
            for kind, path, message, suggestion in error.refusals
        ]
        raise ConfigError(analysis.diagnostics(findings)) from error


def construct(plan: DagPlan, path: str) -> DAG:
    """Construct the DAG of a plan.

    Args:
        plan: The plan.
        path: The config's path; relative names of files are looked up in its folder.

    Raises:
        RefusedError: Airflow, an operator or a notifier refuses it.
    """
    folder = Path(os.path.dirname(path))  # noqa: PTH120 - per config
    dag = _dag(plan, folder)
    dag.config_path = path
    groups: dict[str, TaskGroup] = {}
    for group in plan.groups:
        parent = dag.task_group if group.parent is None else groups[group.parent]
        groups[group.group_id] = TaskGroup(dag=dag, parent_group=parent, **group.arguments)
    builder = TaskBuilder(dag, groups, folder)
    for task in plan.tasks:
        builder.add(task)
    if builder.refusals:
        raise RefusedError(builder.refusals)
    try:
        _wire(plan, builder.tasks, groups, dag)
    except Exception as error:
        message = f"Airflow refuses the dependencies: {error}"
        raise RefusedError([Refusal("airflow", ("tasks",), message)]) from error
    return dag


def _wire(plan: DagPlan, tasks: dict[str, Any], groups: dict[str, TaskGroup], dag: DAG) -> None:
    for task in plan.tasks:
        if task.setup:
            tasks[task.task_id].as_setup()
    for teardown in plan.teardowns:
        tasks[teardown.task_id].as_teardown(
            setups=[tasks[name] for name in teardown.setups],
            on_failure_fail_dagrun=teardown.on_failure_fail_dagrun,
        )
    if groups:
        nodes = {**tasks, **groups}
        for upstream, downstream in plan.edges:
            nodes[downstream].set_upstream(nodes[upstream])
    else:
        # What set_upstream comes to between two tasks of one DAG, without looking that up for each: 4 %.
        for upstream, downstream in plan.edges:
            tasks[downstream].upstream_task_ids.add(upstream)
            tasks[upstream].downstream_task_ids.add(downstream)
    if plan.teardowns or any(task.setup for task in plan.tasks):
        dag.validate_setup_teardown()  # type: ignore[no-untyped-call]


def _dag(plan: DagPlan, folder: Path) -> ConfigDag:
    try:
        return ConfigDag(plan.dag_id, **_arguments(plan, folder))
    except RefusedError:
        raise
    except Exception as error:
        at = ("schedule",) if isinstance(plan.schedule, dict) else ()
        raise RefusedError([Refusal("airflow", at, f"Airflow refuses the DAG: {error}")]) from error


def _arguments(plan: DagPlan, folder: Path) -> dict[str, Any]:
    continuous = plan.schedule == "@continuous"
    arguments: dict[str, Any] = {
        "schedule": make_schedule(plan),
        "start_date": make_moment(plan.start_date, plan.timezone),
        "end_date": make_moment(plan.end_date, plan.timezone),
        # Passed, because Airflow would look them up in its configuration for each DAG: a tenth of a build.
        "max_active_runs": 1 if continuous else int_setting("core", "max_active_runs_per_dag"),
        "max_active_tasks": int_setting("core", "max_active_tasks_per_dag"),
        "max_consecutive_failed_dag_runs": int_setting("core", "max_consecutive_failed_dag_runs_per_dag"),
        "disable_bundle_versioning": bool_setting("dag_processor", "disable_bundle_versioning"),
        "params": {name: Param(**value) if described else value for name, value, described in plan.params},
        **plan.arguments,
    }
    add_callbacks(arguments, plan.notify, ())
    if plan.compensate is not None:
        undo = make_compensation(plan.compensate, (), plan.dag_id, folder)
        arguments["on_failure_callback"] = [undo, *arguments.get("on_failure_callback", ())]
    return arguments
