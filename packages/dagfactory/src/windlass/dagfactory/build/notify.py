"""Notifier instances and failure callbacks of a DAG or a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from windlass.dagfactory.build.files import locate_files
from windlass.dagfactory.build.refusal import Refusal, RefusedError
from windlass.dagfactory.errors import RegistryError
from windlass.dagfactory.plan.model import Call, Notify
from windlass.dagfactory.policies import compensation
from windlass.dagfactory.signature import import_notifier, import_operator

__all__ = ["add_callbacks", "make_compensation"]


def add_callbacks(arguments: dict[str, Any], notify: Notify, path: tuple[str | int, ...]) -> None:
    """Add the callbacks that `notify` asks for to those that are there.

    Each task gets instances of its own: a notifier renders its fields in place.

    Args:
        arguments: Keyword arguments of a DAG or an operator; changed in place.
        notify: The notifiers.
        path: Where the DAG or task stands.
    """
    for callback, notifiers in notify:
        made: list[Any] = []
        for plan in notifiers:
            try:
                notifier: Any = import_notifier(plan.notifier)
                made.append(notifier(**plan.arguments))
            except Exception as error:
                message = f"the notifier {plan.notifier} cannot be made: {error}"
                raise RefusedError([Refusal("notifier", (*path, "notify"), message)]) from error
        arguments[callback] = [*arguments.get(callback, ()), *made]


def make_compensation(call: Call, path: tuple[str | int, ...], name: str, folder: Path) -> Any:
    """Make the failure callback that a task's or DAG's `compensate` asks for.

    Args:
        call: How to construct the operator.
        path: Where the task stands; empty for the DAG.
        name: The task's or DAG's name.
        folder: The config's folder.
    """
    try:
        operator = import_operator(call.operator)
    except RegistryError as error:
        refusal = Refusal("unusable", (*path, "compensate", "operator"), str(error))
        raise RefusedError([refusal]) from error
    arguments = dict(call.arguments)
    if call.files:
        locate_files(operator, arguments, call.files, folder)
    return compensation(operator=operator, task_id=f"{name}__compensate", arguments=arguments)
