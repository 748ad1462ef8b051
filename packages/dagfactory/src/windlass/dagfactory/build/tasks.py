"""The tasks of a DAG: operators constructed with their arguments and settings, mapped or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from windlass.dagfactory.build.files import file_fields, locate_files
from windlass.dagfactory.build.notify import NotifierMaker
from windlass.dagfactory.build.refusal import RefusedError
from windlass.dagfactory.build.schedule import make_assets
from windlass.dagfactory.build.settings import SettingsTranslator
from windlass.dagfactory.checks import Call, Calls
from windlass.dagfactory.checks.use import Output
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath
from windlass.dagfactory.errors import DagFactoryError
from windlass.dagfactory.model import DagConfig, TaskConfig
from windlass.dagfactory.policies import compensation
from windlass.dagfactory.signature import import_operator, signature_of

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator, TaskGroup

    from windlass.dagfactory.discovery import ConfigFile

__all__ = ["Planned", "TaskBuilder", "make_compensation"]


@dataclass(frozen=True)
class Planned:
    """A task that is to be constructed.

    Attributes:
        name: Its id in its group.
        config: What the config says of it.
        path: Where it stands.
        group: The group around it; None for the DAG's own.
    """

    name: str
    config: TaskConfig
    path: JsonPath
    group: TaskGroup | None


class TaskBuilder:
    """Constructs the tasks of one DAG; those whose output others are mapped over first.

    Args:
        dag: The DAG.
        config: Its config.
        calls: How to construct the operators.
        file: The config's file.
        planned: The tasks, by id.
    """

    def __init__(
        self, dag: DAG, config: DagConfig, calls: Calls, file: ConfigFile, planned: dict[str, Planned]
    ) -> None:
        self._dag = dag
        self._calls = calls
        self._file = file
        self._planned = planned
        self._settings = SettingsTranslator(config, NotifierMaker())
        self.tasks: dict[str, Any] = {}
        self.refused: dict[str, Finding] = {}

    def build_all(self) -> None:
        """Construct all tasks, into `tasks`; what is refused goes into `refused`."""
        for task_id in self._planned:
            if task_id not in self.tasks and task_id not in self.refused:
                self._build(task_id)

    def _build(self, task_id: str) -> None:
        planned, call = self._planned[task_id], self._calls[task_id]
        for value in (*(call.expand or {}).values(), call.rows):
            if isinstance(value, Output) and value.task_id not in self.tasks:
                self._build(value.task_id)
                if value.task_id in self.refused:
                    self.refused[task_id] = self.refused[value.task_id]
                    return
        try:
            self.tasks[task_id] = self._construct(planned, call)
        except RefusedError as error:
            self.refused[task_id] = error.finding

    def _construct(self, planned: Planned, call: Call) -> Any:
        operator = _import(call.operator, planned.path)
        arguments = dict(call.arguments)
        mapped = call.expand is not None or call.rows is not None
        if call.files:
            locate_files(operator, arguments, call.files, self._file.folder, mapped=mapped)
        if _defers(call.operator) and "deferrable" not in (call.expand or ()):
            arguments.setdefault("deferrable", True)
        arguments.update(self._settings.arguments(planned.config, operator))
        if planned.config.teardown is not None:
            arguments.pop("trigger_rule", None)  # a teardown's is Airflow's own, whatever defaults say
        self._add_own(planned, arguments)
        if planned.group is not None:
            arguments["task_group"] = planned.group
        try:
            if not mapped:
                return operator(task_id=planned.name, dag=self._dag, **arguments)
            return self._expand(
                operator.partial(task_id=planned.name, dag=self._dag, **arguments), operator, call
            )
        except (Exception, SystemExit) as error:
            raise _refusal(planned, call, operator, error) from error

    def _add_own(self, planned: Planned, arguments: dict[str, Any]) -> None:
        """Add what only the task itself says."""
        task = planned.config
        given = task.model_fields_set
        for name in ("doc_md", "task_display_name", "map_index_template", "executor_config"):
            if name in given and (value := getattr(task, name)) is not None:
                arguments[name] = value
        for name in ("inlets", "outlets"):
            if name in given:
                arguments[name] = _assets(planned, name)
        undo = make_compensation(self._calls, planned.path, planned.name, self._file)
        if undo is not None:
            arguments["on_failure_callback"] = [undo, *arguments.get("on_failure_callback", ())]

    def _expand(self, partial: Any, operator: type[BaseOperator], call: Call) -> Any:
        if call.expand is not None:
            values = {name: self._value(value) for name, value in call.expand.items()}
            if call.files:
                locate_files(operator, values, call.files, self._file.folder, mapped=True)
            task = partial.expand(**values)
        else:
            rows = self._value(call.rows)
            if isinstance(rows, list) and call.files:
                rows = [dict(row) for row in rows]
                for row in rows:
                    locate_files(operator, row, call.files, self._file.folder, mapped=True)
            task = partial.expand_kwargs(rows)
        if call.files:
            task.template_fields = file_fields(operator, _written_files(call))
        return task

    def _value(self, value: Any) -> Any:
        return self.tasks[value.task_id].output if isinstance(value, Output) else value


def _assets(planned: Planned, key: str) -> list[Any]:
    try:
        return make_assets(getattr(planned.config, key))
    except Exception as error:  # providers have rules for URIs
        message = f"Airflow refuses the {key}: {error}"
        finding = Finding(Code.REFUSED_BY_AIRFLOW, (*planned.path, key), message, at="key")
        raise RefusedError(finding) from error


def _written_files(call: Call) -> set[str]:
    """Tell which parameters name files in the config itself, not in what other tasks return."""
    rows = call.rows if isinstance(call.rows, list) else []
    written = {*call.arguments, *(name for row in rows for name in row)}
    written |= {name for name, value in (call.expand or {}).items() if not isinstance(value, Output)}
    return written & call.files


def make_compensation(calls: Calls, path: JsonPath, name: str, file: ConfigFile) -> Any:
    """Make the failure callback that a task's or DAG's `compensate` asks for, or None.

    Args:
        calls: How to construct the operators.
        path: Where the task stands; empty for the DAG.
        name: The task's or DAG's name.
        file: The config's file.
    """
    call = calls.compensations.get(path)
    if call is None:
        return None
    operator = _import(call.operator, (*path, "compensate"))
    arguments = dict(call.arguments)
    if call.files:
        locate_files(operator, arguments, call.files, file.folder)
    return compensation(operator=operator, task_id=f"{name}__compensate", arguments=arguments)


def _import(operator: str, path: JsonPath) -> type[BaseOperator]:
    try:
        return import_operator(operator)
    except DagFactoryError as error:
        finding = Finding(Code.UNUSABLE_OPERATOR, (*path, "operator"), str(error))
        raise RefusedError(finding) from error


@cache
def _defers(operator: str) -> bool:
    """Tell whether an operator is a sensor that can wait without a worker."""
    return (
        issubclass(import_operator(operator), BaseSensorOperator)
        and "deferrable" in signature_of(operator).accepted
    )


def _refusal(
    planned: Planned, call: Call, operator: type[BaseOperator], error: BaseException
) -> RefusedError:
    task, path = planned.config, planned.path
    message = f"{operator.__name__} refuses its parameters: {error}"
    known = ", ".join(sorted(signature_of(call.operator).accepted))
    suggestion = f"follow its message; its parameters are {known}" if known else None
    if call.expand is not None:
        path = (*path, "expand")
    elif task.args:
        path = (*path, "args")
    return RefusedError(Finding(Code.REFUSED_BY_OPERATOR, path, message, suggestion, at="key"))
