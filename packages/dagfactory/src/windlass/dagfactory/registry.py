"""Which operators configs may use: specs that packages register by entry point, and classes by path.

An entry point is loaded only when a config names it, and its operator class only when a DAG is built:
validating configs of registered operators imports no Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from windlass.dagfactory.diagnostics import did_you_mean
from windlass.dagfactory.errors import UnknownOperatorError, UnusableOperatorError

__all__ = ["GROUP", "OperatorSpec", "Registry", "default_registry", "file_parameters", "is_class_path"]

GROUP = "windlass.operators"
CONFIG_FILE = "config-file"

_CLASS_PATH = re.compile(r"(?:[^\W\d]\w*\.)+[A-Z]\w*\Z")


@runtime_checkable
class OperatorSpec(Protocol):
    """What a package registers for an operator. Structural: no import of this package is needed.

    Attributes:
        name: Short name that configs use, such as `warehouse.load_file`; also the entry point's name.
        operator: Import path of the operator class, `package.module.Class`.
        parameters: Model of what may stand under `args`. A parameter whose JSON schema has `"format":
        "config-file"` names
            a file beside the config and reaches the operator as an absolute path.
        summary: One line on what the operator does.
    """

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def operator(self) -> str:
        """Import path of the class."""

    @property
    def parameters(self) -> type[BaseModel]:
        """Model of the parameters."""

    @property
    def summary(self) -> str:
        """One line."""


class Registry:
    """Operator specs by short name, found by entry points and loaded when first used.

    Args:
        entries: Entry points to choose from; those of the group `windlass.operators` by default.
    """

    def __init__(self, entries: Iterable[EntryPoint] | None = None) -> None:
        self._given = None if entries is None else tuple(entries)
        self._specs: dict[str, OperatorSpec] = {}

    @cached_property
    def _entries(self) -> Mapping[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for entry in self._given if self._given is not None else entry_points(group=GROUP):
            same = found.setdefault(entry.name, [])
            if all(other.value != entry.value for other in same):
                same.append(entry)
        return found

    def names(self) -> list[str]:
        """List all registered short names, sorted, without loading any of them."""
        return sorted(self._entries)

    def get(self, name: str) -> OperatorSpec:
        """Load the spec registered under a short name.

        Raises:
            UnknownOperatorError: Nothing is registered under it.
            UnusableOperatorError: What is registered cannot be imported, is no spec, or is registered twice.
        """
        spec = self._specs.get(name)
        if spec is None:
            spec = self._specs[name] = self._load(name)
        return spec

    def _load(self, name: str) -> OperatorSpec:
        candidates = self._entries.get(name)
        if not candidates:
            near = did_you_mean(name, self.names())
            raise UnknownOperatorError(name, "no such operator is registered", [near] if near else [])
        if len(candidates) > 1:
            values = " and ".join(sorted(entry.value for entry in candidates))
            raise UnusableOperatorError(name, f"two packages register it: {values}; uninstall one")
        entry = candidates[0]
        try:
            spec = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() too: it must not end the check of others
            reason = f"its spec {entry.value} cannot be imported: {type(error).__name__}: {error}"
            raise UnusableOperatorError(name, reason) from error
        if not _is_spec(spec):
            raise UnusableOperatorError(
                name, f"{entry.value} is no operator spec; its package must be corrected"
            )
        loaded: OperatorSpec = spec
        return loaded


def _is_spec(spec: Any) -> bool:
    if not isinstance(spec, OperatorSpec):
        return False
    parameters: Any = spec.parameters
    operator: Any = spec.operator
    return isinstance(parameters, type) and issubclass(parameters, BaseModel) and isinstance(operator, str)


@cache
def default_registry() -> Registry:
    """Return the registry of what is installed, one for the process."""
    return Registry()


def is_class_path(operator: str) -> bool:
    """Tell whether an operator's name has the shape of a class path: its last part begins with a capital."""
    return _CLASS_PATH.match(operator) is not None


@cache
def file_parameters(parameters: type[BaseModel]) -> frozenset[str]:
    """Tell which parameters of a model name files beside the config."""
    properties = parameters.model_json_schema(by_alias=False).get("properties", {})
    return frozenset(name for name, schema in properties.items() if _names_file(schema))


def _names_file(schema: Mapping[str, Any]) -> bool:
    if schema.get("format") == CONFIG_FILE:
        return True
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    items = schema.get("items")
    if isinstance(items, Mapping):
        choices.append(items)
    return any(_names_file(choice) for choice in choices)
