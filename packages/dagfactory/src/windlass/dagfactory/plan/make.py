"""From a checked config to the plan of its DAG, without Airflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from windlass.dagfactory.checks import is_file_name
from windlass.dagfactory.checks.params import is_param_schema, ordered_params
from windlass.dagfactory.docs import default_doc
from windlass.dagfactory.inputs import files_of_sound
from windlass.dagfactory.layers.variables import declared_names
from windlass.dagfactory.model import (
    DagConfig,
    EveryConfig,
    GroupConfig,
    TaskConfig,
    TeardownConfig,
    granted,
)
from windlass.dagfactory.plan.ingredients import Ingredients
from windlass.dagfactory.plan.model import (
    Call,
    DagPlan,
    GroupPlan,
    Output,
    SettingsPlan,
    TaskPlan,
    TeardownPlan,
)
from windlass.dagfactory.plan.settings import SettingsPlanner, plan_notify
from windlass.dagfactory.registry import default_registry, notifier_registry
from windlass.dagfactory.scope import Scope
from windlass.dagfactory.signature import import_class, import_notifier, import_operator

if TYPE_CHECKING:
    from windlass.dagfactory.analysis import Analysis
    from windlass.dagfactory.checks import Calls
    from windlass.dagfactory.diagnostics import JsonPath

__all__ = ["ingredients_of", "make_plan", "packages_of"]

_OF_THE_DAG = (
    "dag_display_name",
    "dagrun_timeout",
    "fail_fast",
    "is_paused_upon_creation",
    "max_active_runs",
    "max_active_tasks",
    "max_consecutive_failed_dag_runs",
    "owner_links",
    "render_template_as_native_obj",
)
_OF_A_TASK = ("doc_md", "task_display_name", "map_index_template", "executor_config")
_ASSETS = ("inlets", "outlets")


def make_plan(analysis: Analysis) -> DagPlan:
    """Make the plan of a config's DAG.

    Args:
        analysis: The config, analysed.

    Raises:
        ConfigError: The config has mistakes.
    """
    config, calls = analysis.checked(), cast("Calls", analysis.calls)
    tree = _Tree(config, calls)
    tree.add(config.tasks, analysis.data["tasks"], Scope(), ("tasks",), ())
    every = config.schedule.every if isinstance(config.schedule, EveryConfig) else None
    return DagPlan(
        config.dag_id,
        _dag_arguments(config, analysis),
        config.timezone,
        every or analysis.data.get("schedule"),
        config.start_date,
        config.end_date,
        tuple((name, value, is_param_schema(value)) for name, value in ordered_params(config.params)),
        plan_notify(config.notify),
        calls.compensations.get(()),
        tuple(tree.groups),
        tuple(tree.in_order()),
        tuple(tree.teardowns()),
        tuple(tree.edges()),
    )


def ingredients_of(analysis: Analysis, also_in: Sequence[str]) -> Ingredients:
    """Tell what besides its config and folders' defaults a plan is made of.

    Args:
        analysis: The config, analysed.
        also_in: Other configs that claim the same DAG id.
    """
    layers = analysis.resolved.layers
    variables = {name for layer in layers for name in declared_names(layer.document.data)}
    files = files_of_sound(analysis.data, analysis.file.folder)
    return Ingredients(tuple(also_in), tuple(sorted(variables)), tuple(files))


def packages_of(plan: DagPlan) -> set[str]:
    """Name the packages whose code takes part in a plan: this one, those of specs, and those of its classes.

    Args:
        plan: The plan. Its DAG has been constructed: all of its classes are imported.
    """
    modules = {__name__, *default_registry().modules(), *notifier_registry().modules()}
    modules.update(base.__module__ for found in _classes(plan) for base in found.__mro__)
    return {_package(name) for name in modules}


def _package(module: str) -> str:
    if module.startswith("airflow."):  # no need to look at each of Airflow's modules where it is a checkout
        return module
    return ".".join(module.split(".")[: 2 if module.startswith("windlass.") else 1])


def _classes(plan: DagPlan) -> Iterator[type]:
    """List the classes that a plan constructs: what checks found in their signatures is in it."""
    calls = [plan.compensate, *(call for task in plan.tasks for call in (task.call, task.compensate))]
    for operator in {call.operator for call in calls if call is not None}:
        yield import_operator(operator)
    told = [plan.notify, *(task.settings.notify for task in plan.tasks)]
    for notifier in {made.notifier for notify in told for _, several in notify for made in several}:
        yield import_notifier(notifier)
    if isinstance(plan.schedule, dict) and "timetable" in plan.schedule:
        yield import_class(plan.schedule["timetable"], "timetable")


def _dag_arguments(config: DagConfig, analysis: Analysis) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "description": config.description,
        "catchup": config.catchup,
        "tags": config.tags,
        "doc_md": _doc(config, analysis),
    }
    arguments.update(_said(config, _OF_THE_DAG))
    if config.access_control is not None:
        arguments["access_control"] = granted(config.access_control)
    return arguments


def _said(part: DagConfig | TaskConfig, names: tuple[str, ...]) -> dict[str, Any]:
    """Take those settings that a config says and does not take back."""
    said = part.model_fields_set
    values = {name: getattr(part, name) for name in names if name in said}
    return {name: value for name, value in values.items() if value is not None}


def _doc(config: DagConfig, analysis: Analysis) -> str:
    doc = config.doc_md
    if doc is None:
        return default_doc(config)
    if is_file_name(doc):
        doc = (analysis.file.folder / doc).read_text(encoding="utf-8")
    # Airflow opens a doc_md that ends in ".md", relative to wherever the process runs.
    return f"{doc}\n" if doc.endswith(".md") else doc


class _Tree:
    """The tasks and groups of a config, and what runs before what, by id.

    Args:
        config: The config.
        calls: How to construct the operators.
    """

    def __init__(self, config: DagConfig, calls: Calls) -> None:
        self.groups: list[GroupPlan] = []
        self._calls = calls
        self._settings = SettingsPlanner(config)
        self._tasks: dict[str, TaskPlan] = {}
        self._teardowns: list[tuple[str, list[str] | TeardownConfig]] = []
        self._scopes: dict[str, Scope] = {}
        self._chains: dict[str, tuple[str, ...]] = {}
        self._upstream: list[tuple[str, list[str]]] = []

    def add(
        self,
        entries: Mapping[str, TaskConfig | GroupConfig],
        data: Mapping[str, Any],
        scope: Scope,
        path: JsonPath,
        chain: tuple[str, ...],
    ) -> None:
        """Add what stands in one `tasks` object.

        Args:
            entries: Tasks and groups by name.
            data: The same as plain data.
            scope: Where their names are looked up.
            path: Where the object stands.
            chain: Ids of the groups around it, the outermost first.
        """
        for name in entries:
            scope.add(name, f"{scope.prefix}{name}")
        for name, entry in entries.items():
            node_id = scope.ids[name]
            self._scopes[node_id], self._chains[node_id] = scope, chain
            if entry.depends_on:
                self._upstream.append((node_id, entry.depends_on))
            if isinstance(entry, TaskConfig):
                if entry.teardown is not None:
                    self._teardowns.append((node_id, entry.teardown))
                group = chain[-1] if chain else None
                self._tasks[node_id] = self._task(entry, data[name], node_id, (*path, name), group)
                continue
            self.groups.append(_group(name, entry, node_id, chain[-1] if chain else None))
            inner = scope.inside(node_id, prefixed=entry.prefix_group_id)
            self.add(entry.tasks, data[name]["tasks"], inner, (*path, name, "tasks"), (*chain, node_id))

    def _task(
        self, task: TaskConfig, data: Mapping[str, Any], task_id: str, path: JsonPath, group: str | None
    ) -> TaskPlan:
        settings = self._settings.of(task)
        if task.teardown is not None and "trigger_rule" in settings.arguments:
            # A teardown's is Airflow's own, whatever defaults say.
            settings = _without(settings, "trigger_rule")
        return TaskPlan(
            task_id,
            str(path[-1]),
            path,
            group,
            self._calls[task_id],
            settings,
            _said(task, _OF_A_TASK),
            {name: data[name] for name in _ASSETS if name in data},
            self._calls.compensations.get(path),
            task.setup,
            task.teardown is not None,
        )

    def in_order(self) -> list[TaskPlan]:
        """List the tasks in the order of the config, but first those whose output others are mapped over."""
        ordered: dict[str, TaskPlan] = {}

        def add(task: TaskPlan) -> None:
            for source in _sources(task.call):
                if source not in ordered:
                    add(self._tasks[source])
            ordered[task.task_id] = task

        for task_id, task in self._tasks.items():
            if task_id not in ordered:
                add(task)
        return list(ordered.values())

    def teardowns(self) -> Iterator[TeardownPlan]:
        """List what cleans up after what."""
        for node_id, teardown in self._teardowns:
            fails = isinstance(teardown, TeardownConfig) and teardown.on_failure_fail_dagrun
            names = teardown.setups if isinstance(teardown, TeardownConfig) else teardown
            yield TeardownPlan(node_id, tuple(self._find(node_id, name) for name in names), fails)

    def edges(self) -> list[tuple[str, str]]:
        """List what runs before what, in the order of wiring.

        A group is wired by the tasks it begins and ends with, which depends on what is wired inside.
        """
        pairs = [(self._find(node_id, name), node_id) for node_id, names in self._upstream for name in names]
        return sorted(pairs, key=self._shared, reverse=True) if self.groups else pairs

    def _find(self, node_id: str, name: str) -> str:
        found = self._scopes[node_id].find(name)
        assert found is not None, f"unchecked name {name}"
        return found

    def _shared(self, pair: tuple[str, str]) -> int:
        """Count the groups that two nodes are both in."""
        count = 0
        for one, other in zip(self._chains[pair[0]], self._chains[pair[1]], strict=False):
            if one != other:
                break
            count += 1
        return count


def _group(name: str, group: GroupConfig, group_id: str, parent: str | None) -> GroupPlan:
    arguments = {
        "group_id": name,
        "prefix_group_id": group.prefix_group_id,
        "tooltip": group.tooltip or "",
        "group_display_name": group.group_display_name or "",
    }
    return GroupPlan(group_id, parent, arguments)


def _without(settings: SettingsPlan, name: str) -> SettingsPlan:
    arguments = {key: value for key, value in settings.arguments.items() if key != name}
    return settings._replace(arguments=arguments)


def _sources(call: Call) -> list[str]:
    values = [*(call.expand or {}).values(), call.rows]
    return [value.task_id for value in values if isinstance(value, Output)]
