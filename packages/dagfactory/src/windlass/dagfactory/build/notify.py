"""Notifier instances of a DAG or a task, from what its config says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from windlass.dagfactory.checks.parameters import validated
from windlass.dagfactory.model import DagNotifyConfig, NotifierConfig
from windlass.dagfactory.registry import is_class_path, notifier_registry
from windlass.dagfactory.signature import import_notifier

__all__ = ["NotifierMaker"]


class NotifierMaker:
    """Makes notifiers, looking each up once for a DAG.

    Each task gets instances of its own: a notifier renders its fields in place.
    """

    def __init__(self) -> None:
        self._makers: dict[int, list[tuple[str, list[Callable[[], Any]]]]] = {}

    def callbacks(self, notify: DagNotifyConfig | None) -> dict[str, list[Any]]:
        """Make the callbacks that Airflow's constructors take, such as `on_failure_callback`.

        Args:
            notify: What the config says; it must live as long as this object.
        """
        if notify is None:
            return {}
        makers = self._makers.get(id(notify))
        if makers is None:
            makers = self._makers[id(notify)] = [
                (f"{event}_callback", [_maker(entry) for entry in getattr(notify, event)])
                for event in type(notify).model_fields
                if getattr(notify, event)
            ]
        return {name: [make() for make in made] for name, made in makers}


def _maker(entry: NotifierConfig) -> Callable[[], Any]:
    path, arguments = entry.notifier, dict[str, Any](entry.args)
    if not is_class_path(path):
        registry = notifier_registry()
        spec = registry.get(path)
        path = registry.class_path(spec)
        arguments = validated(spec.parameters.model_validate(entry.args))
    return _Maker(path, arguments)


class _Maker:
    def __init__(self, path: str, arguments: Mapping[str, Any]) -> None:
        self._path = path
        self._arguments = arguments

    def __call__(self) -> Any:
        notifier: Any = import_notifier(self._path)
        return notifier(**self._arguments)
