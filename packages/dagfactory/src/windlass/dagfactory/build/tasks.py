"""The tasks of a DAG: operators constructed with their arguments and settings, mapped or not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from windlass.dagfactory.build.files import file_fields, locate_files
from windlass.dagfactory.build.notify import add_callbacks, make_compensation
from windlass.dagfactory.build.refusal import Refusal, RefusedError
from windlass.dagfactory.build.schedule import make_assets
from windlass.dagfactory.errors import RegistryError
from windlass.dagfactory.plan.model import Call, Output, SettingsPlan, TaskPlan
from windlass.dagfactory.policies import retry_policy, timeout_arguments
from windlass.dagfactory.signature import import_operator, signature_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG, BaseOperator, TaskGroup

__all__ = ["TaskBuilder"]


class TaskBuilder:
    """Constructs the tasks of one DAG.

    Args:
        dag: The DAG.
        groups: Its groups by id.
        folder: The config's folder.

    Attributes:
        tasks: The constructed tasks by id.
        refusals: What is wrong with the others.
    """

    def __init__(self, dag: DAG, groups: Mapping[str, TaskGroup], folder: Path) -> None:
        self._dag = dag
        self._groups = groups
        self._folder = folder
        self._settings: dict[tuple[int, str], dict[str, Any]] = {}
        self.tasks: dict[str, Any] = {}
        self.refusals: list[Refusal] = []

    def add(self, plan: TaskPlan) -> None:
        """Construct a task; those whose output it is mapped over come before it."""
        try:
            self.tasks[plan.task_id] = self._construct(plan)
        except RefusedError as error:
            self.refusals.extend(error.refusals)
        except _SourceRefusedError:
            pass  # told of already

    def _construct(self, plan: TaskPlan) -> Any:
        call = plan.call
        operator = _import(call.operator, plan.path)
        arguments = dict(call.arguments)
        mapped = call.expand is not None or call.rows is not None
        if call.files:
            locate_files(operator, arguments, call.files, self._folder, mapped=mapped)
        if _defers(call.operator) and "deferrable" not in (call.expand or ()):
            arguments.setdefault("deferrable", True)
        arguments.update(self._of_settings(plan.settings, call.operator))
        add_callbacks(arguments, plan.settings.notify, plan.path)
        arguments.update(plan.own)
        for name, assets in plan.assets.items():
            arguments[name] = _assets(plan, name, assets)
        if plan.compensate is not None:
            undo = make_compensation(plan.compensate, plan.path, plan.name, self._folder)
            arguments["on_failure_callback"] = [undo, *arguments.get("on_failure_callback", ())]
        if plan.group is not None:
            arguments["task_group"] = self._groups[plan.group]
        try:
            if not mapped:
                return operator(task_id=plan.name, dag=self._dag, **arguments)
            return self._expand(
                operator.partial(task_id=plan.name, dag=self._dag, **arguments), operator, call
            )
        except _SourceRefusedError:
            raise
        except (Exception, SystemExit) as error:
            raise RefusedError([_refusal(plan, operator, error)]) from error

    def _of_settings(self, settings: SettingsPlan, operator: str) -> dict[str, Any]:
        """Give the arguments that settings come to, the same object for tasks that share them."""
        key = id(settings), operator
        arguments = self._settings.get(key)
        if arguments is None:
            arguments = self._settings[key] = dict(settings.arguments)
            if settings.retry is not None:
                arguments["retry_policy"] = retry_policy(**settings.retry._asdict())
            if settings.timeout is not None:
                arguments.update(timeout_arguments(import_operator(operator), settings.timeout))
        return arguments

    def _expand(self, partial: Any, operator: type[BaseOperator], call: Call) -> Any:
        if call.expand is not None:
            values = {name: self._value(value) for name, value in call.expand.items()}
            if call.files:
                locate_files(operator, values, call.files, self._folder, mapped=True)
            task = partial.expand(**values)
        else:
            rows = self._value(call.rows)
            if isinstance(rows, list) and call.files:
                rows = [dict(row) for row in rows]
                for row in rows:
                    locate_files(operator, row, call.files, self._folder, mapped=True)
            task = partial.expand_kwargs(rows)
        if call.files:
            task.template_fields = file_fields(operator, _written_files(call))
        return task

    def _value(self, value: Any) -> Any:
        if not isinstance(value, Output):
            return value
        if value.task_id not in self.tasks:
            raise _SourceRefusedError
        return self.tasks[value.task_id].output


class _SourceRefusedError(Exception):
    """The task whose output is mapped over could not be made."""


def _assets(plan: TaskPlan, name: str, assets: Any) -> list[Any]:
    try:
        return make_assets(assets)
    except Exception as error:  # providers have rules for URIs
        refusal = Refusal("airflow", (*plan.path, name), f"Airflow refuses the {name}: {error}")
        raise RefusedError([refusal]) from error


def _written_files(call: Call) -> set[str]:
    """Tell which parameters name files in the config itself, not in what other tasks return."""
    rows = call.rows if isinstance(call.rows, list) else []
    written = {*call.arguments, *(name for row in rows for name in row)}
    written |= {name for name, value in (call.expand or {}).items() if not isinstance(value, Output)}
    return written & call.files


def _import(operator: str, path: tuple[str | int, ...]) -> type[BaseOperator]:
    try:
        return import_operator(operator)
    except RegistryError as error:
        raise RefusedError([Refusal("unusable", (*path, "operator"), str(error))]) from error


@cache
def _defers(operator: str) -> bool:
    """Tell whether an operator waits for something and can do so without a worker."""
    found = import_operator(operator)
    # By its name: importing it for the question would cost each parse more than all else.
    waits = issubclass(found, BaseSensorOperator) or any(
        base.__name__ == "TriggerDagRunOperator" for base in found.__mro__
    )
    return waits and "deferrable" in signature_of(operator).accepted


def _refusal(plan: TaskPlan, operator: type[BaseOperator], error: BaseException) -> Refusal:
    call, path = plan.call, plan.path
    message = f"{operator.__name__} refuses its parameters: {error}"
    known = ", ".join(sorted(signature_of(call.operator).accepted))
    suggestion = f"follow its message; its parameters are {known}" if known else None
    if call.expand is not None:
        path = (*path, "expand")
    elif call.arguments:
        path = (*path, "args")
    return Refusal("operator", path, message, suggestion)
