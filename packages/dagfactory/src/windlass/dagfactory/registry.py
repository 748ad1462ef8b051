"""Which operators and notifiers configs may use: specs registered by entry point, and class paths.

An entry point is loaded only when a config names it, and the class behind it only when a DAG is built:
validating configs of registered operators imports no Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from windlass.dagfactory.diagnostics import did_you_mean
from windlass.dagfactory.errors import (
    RegistryError,
    UnknownNotifierError,
    UnknownOperatorError,
    UnusableNotifierError,
    UnusableOperatorError,
)

__all__ = [
    "GROUP",
    "NOTIFIER_GROUP",
    "NotifierRegistry",
    "NotifierSpec",
    "OperatorSpec",
    "Registry",
    "Spec",
    "SpecRegistry",
    "default_registry",
    "file_parameters",
    "is_class_path",
    "notifier_registry",
]

GROUP = "windlass.operators"
NOTIFIER_GROUP = "windlass.notifiers"
CONFIG_FILE = "config-file"

_CLASS_PATH = re.compile(r"(?:[^\W\d]\w*\.)+[A-Z]\w*\Z")


@runtime_checkable
class Spec(Protocol):
    """What specs of all kinds have. Structural: packages register theirs without importing this one.

    Attributes:
        name: Short name that configs use, such as `warehouse.load_file`; also the entry point's name.
        parameters: Model of what may stand under `args`. A parameter whose JSON schema has
            `"format": "config-file"` names a file beside the config and reaches the class as an absolute
            path.
        summary: One line on what it does.
    """

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def parameters(self) -> type[BaseModel]:
        """Model of the parameters."""

    @property
    def summary(self) -> str:
        """One line."""


@runtime_checkable
class OperatorSpec(Spec, Protocol):
    """What a package registers for an operator.

    Attributes:
        operator: Import path of the operator class, `package.module.Class`.
    """

    @property
    def operator(self) -> str:
        """Import path of the class."""


@runtime_checkable
class NotifierSpec(Spec, Protocol):
    """What a package registers for a notifier.

    Attributes:
        notifier: Import path of the subclass of `airflow.sdk.BaseNotifier`, `package.module.Class`.
    """

    @property
    def notifier(self) -> str:
        """Import path of the class."""


SpecT = TypeVar("SpecT", bound=Spec)


class SpecRegistry(Generic[SpecT]):
    """Specs of one kind by short name, found by entry points and loaded when first used.

    Subclasses say of which kind; `Registry` has operators, `NotifierRegistry` notifiers.

    Args:
        entries: Entry points to choose from; those of the kind's group by default.
    """

    kind: ClassVar[str]
    group: ClassVar[str]
    _unknown: ClassVar[type[RegistryError]]
    _unusable: ClassVar[type[RegistryError]]

    def __init__(self, entries: Iterable[EntryPoint] | None = None) -> None:
        self._given = None if entries is None else tuple(entries)
        self._specs: dict[str, SpecT] = {}

    @cached_property
    def _entries(self) -> Mapping[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for entry in self._given if self._given is not None else entry_points(group=self.group):
            same = found.setdefault(entry.name, [])
            if all(other.value != entry.value for other in same):
                same.append(entry)
        return found

    def names(self) -> list[str]:
        """List all registered short names, sorted, without loading any of them."""
        return sorted(self._entries)

    def packages(self, name: str) -> list[str]:
        """Name the installed distributions that register a short name, with their versions."""
        found = {entry.dist for entry in self._entries.get(name, ()) if entry.dist is not None}
        return sorted(f"{dist.name} {dist.version}" for dist in found)

    def get(self, name: str) -> SpecT:
        """Load the spec registered under a short name.

        Raises:
            UnknownOperatorError: Nothing is registered under it (`UnknownNotifierError` of notifiers).
            UnusableOperatorError: What is registered cannot be imported, is no spec, or is registered twice
                (`UnusableNotifierError` of notifiers).
        """
        spec = self._specs.get(name)
        if spec is None:
            spec = self._specs[name] = self._load(name)
        return spec

    def modules(self) -> set[str]:
        """Name the modules that the specs loaded so far, and their models, are in."""
        loaded = (kind for spec in self._specs.values() for kind in (type(spec), spec.parameters))
        return {kind.__module__ for kind in loaded}

    def class_path(self, spec: SpecT) -> str:
        """Tell the import path of the class that a spec is of."""
        path: str = getattr(spec, self.kind)
        return path

    def _load(self, name: str) -> SpecT:
        candidates = self._entries.get(name)
        if not candidates:
            near = did_you_mean(name, self.names())
            raise self._unknown(name, f"no such {self.kind} is registered", [near] if near else [])
        if len(candidates) > 1:
            values = " and ".join(sorted(entry.value for entry in candidates))
            raise self._unusable(name, f"two packages register it: {values}; uninstall one")
        entry = candidates[0]
        try:
            spec = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() too: it must not end the check of others
            reason = f"its spec {entry.value} cannot be imported: {type(error).__name__}: {error}"
            raise self._unusable(name, reason) from error
        if not self._is_spec(spec):
            reason = f"{entry.value} is no {self.kind} spec; its package must be corrected"
            raise self._unusable(name, reason)
        loaded: SpecT = spec
        return loaded

    def _is_spec(self, spec: Any) -> bool:
        if not isinstance(spec, Spec) or not isinstance(getattr(spec, self.kind, None), str):
            return False
        parameters: Any = spec.parameters
        return isinstance(parameters, type) and issubclass(parameters, BaseModel)


class Registry(SpecRegistry[OperatorSpec]):
    """Operator specs by short name."""

    kind = "operator"
    group = GROUP
    _unknown = UnknownOperatorError
    _unusable = UnusableOperatorError


class NotifierRegistry(SpecRegistry[NotifierSpec]):
    """Notifier specs by short name."""

    kind = "notifier"
    group = NOTIFIER_GROUP
    _unknown = UnknownNotifierError
    _unusable = UnusableNotifierError


@cache
def default_registry() -> Registry:
    """Return the registry of installed operators, one for the process."""
    return Registry()


@cache
def notifier_registry() -> NotifierRegistry:
    """Return the registry of installed notifiers, one for the process."""
    return NotifierRegistry()


def is_class_path(name: str) -> bool:
    """Tell whether a name has the shape of a class path: its last part begins with a capital."""
    return _CLASS_PATH.match(name) is not None


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
