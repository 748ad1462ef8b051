"""How defaults reach a task: the config's, then those of its operator, then its own settings.

`retry` and `args` merge key by key, everything else replaces; null takes back what a weaker layer says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.dagfactory.diagnostics import JsonPath
from windlass.dagfactory.model.dag import DagConfig
from windlass.dagfactory.model.settings import DefaultsConfig, RetryConfig, TaskSettings
from windlass.dagfactory.model.task import TaskConfig

__all__ = ["SETTINGS", "SettingsMerger", "setting_origins"]

SETTINGS = frozenset(TaskSettings.model_fields)
_MERGED = frozenset({"retry", "args"})


class SettingsMerger:
    """Merges the defaults of one config into its tasks, each operator's defaults once.

    Args:
        config: The config.
    """

    def __init__(self, config: DagConfig) -> None:
        self._defaults: DefaultsConfig = config.defaults
        owner = {} if config.owner is None else {"owner": config.owner}
        self._base = _merge(owner, self._defaults)
        self._by_operator: dict[str, dict[str, Any]] = {}

    def of(self, task: TaskConfig) -> dict[str, Any]:
        """Merge what holds for a task.

        Returns:
            Setting to value as the model holds it, without those that nothing sets; `retry` is a dict of its
            keys.
        """
        base = self._base
        if task.operator in self._defaults.operators:
            found = self._by_operator.get(task.operator)
            if found is None:
                found = _merge(base, self._defaults.operators[task.operator])
                self._by_operator[task.operator] = found
            base = found
        return _merge(base, task)


def _merge(base: dict[str, Any], layer: TaskSettings) -> dict[str, Any]:
    merged = dict(base)
    for name in layer.model_fields_set & SETTINGS:
        value = getattr(layer, name)
        if value is None:
            merged.pop(name, None)
        elif name == "retry":
            merged["retry"] = _merge_retry(merged.get("retry"), value)
        else:
            merged[name] = value
    return merged


def _merge_retry(base: dict[str, Any] | None, layer: RetryConfig) -> dict[str, Any]:
    keys = {**(base or {}), **{name: getattr(layer, name) for name in layer.model_fields_set}}
    return {name: value for name, value in keys.items() if value is not None}


def setting_origins(data: Mapping[str, Any], path: JsonPath) -> dict[JsonPath, JsonPath]:
    """Tell where each setting and argument of a task comes from.

    Works on the data of a config, wrong as it may be, so that mistakes in defaults are shown there.

    Args:
        data: The config.
        path: Where the task stands in it.

    Returns:
        Where it would stand in the task, such as `("retry", "cap")` or `("pool",)`, to where it does stand.
    """
    task = _object(data, path)
    found: dict[JsonPath, JsonPath] = {("owner",): ("owner",)} if data.get("owner") is not None else {}
    layers: list[JsonPath] = [("defaults",), ("defaults", "operators", str(task.get("operator"))), path]
    for layer in layers:
        values = _object(data, layer)
        for name in values.keys() & (SETTINGS | {"args"} if layer != ("defaults",) else SETTINGS):
            _add(found, name, values[name], layer)
    return found


def _add(found: dict[JsonPath, JsonPath], name: str, value: Any, layer: JsonPath) -> None:
    inside = [known for known in found if known[0] == name]
    if name not in _MERGED or not isinstance(value, dict):
        for known in inside:
            del found[known]
        if value is not None:
            found[(name,)] = (*layer, name)
        return
    found.pop((name,), None)
    for key, inner in value.items():
        if inner is None and (name, key) in found:
            del found[name, key]
        elif inner is not None or name == "args":
            found[name, key] = (*layer, name, key)


def _object(data: Any, path: tuple[Any, ...]) -> dict[str, Any]:
    for part in path:
        if not isinstance(data, dict) or not isinstance(part, str):
            return {}
        data = data.get(part)
    return data if isinstance(data, dict) else {}
