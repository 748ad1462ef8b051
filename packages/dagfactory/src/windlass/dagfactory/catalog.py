"""What is installed for configs to name, for people: each with its package, parameters and problems."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic.errors import PydanticUserError

from windlass.dagfactory.errors import RegistryError
from windlass.dagfactory.registry import (
    NotifierRegistry,
    Registry,
    SpecRegistry,
    default_registry,
    notifier_registry,
)
from windlass.dagfactory.schema.describe import Property, properties_of

__all__ = ["Entry", "Kind", "catalog", "class_entry"]

Kind = Literal["operator", "notifier"]


@dataclass(frozen=True)
class Entry:
    """A name that configs may use.

    Attributes:
        kind: For which key of a config it is.
        name: The short name.
        package: The distribution that registers it, with its version, or None where that is not known.
        target: Import path of the class; empty if there is a problem.
        summary: One line on what it does.
        schema: JSON schema of its `args`.
        problem: Why it cannot be used, or None.
    """

    kind: Kind
    name: str
    package: str | None
    target: str = ""
    summary: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @cached_property
    def parameters(self) -> list[Property]:
        """What may stand under `args`, required ones first."""
        return properties_of(self.schema)

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON output has it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "package": self.package,
            "class": self.target or None,
            "summary": self.summary,
            "parameters": [parameter.as_dict() for parameter in self.parameters],
            "problem": self.problem,
        }


def catalog(operators: Registry | None = None, notifiers: NotifierRegistry | None = None) -> list[Entry]:
    """Load everything that is registered; what cannot be loaded is an entry with a problem.

    Args:
        operators: Which operators; those installed by default.
        notifiers: Which notifiers; those installed by default.

    Returns:
        Operators, then notifiers, each sorted by name.
    """
    return [
        *_entries("operator", operators or default_registry()),
        *_entries("notifier", notifiers or notifier_registry()),
    ]


def _entries(kind: Kind, registry: SpecRegistry[Any]) -> Iterator[Entry]:
    for name in registry.names():
        package = " and ".join(registry.packages(name)) or None
        try:
            spec = registry.get(name)
            schema = spec.parameters.model_json_schema()
        except RegistryError as error:
            yield Entry(kind, name, package, problem=error.reason)
        except PydanticUserError as error:
            reason = f"its model of parameters has no JSON schema: {error}; its package must be corrected"
            yield Entry(kind, name, package, problem=reason)
        else:
            yield Entry(
                kind, name, package, registry.class_path(spec), " ".join(spec.summary.split()), schema
            )


def class_entry(path: str) -> Entry:
    """Tell of an operator class what its constructor takes, as far as signatures tell; imports it.

    Args:
        path: Its import path.
    """
    from windlass.dagfactory.signature import import_operator, signature_of

    try:
        signature = signature_of(path)
    except RegistryError as error:
        return Entry("operator", path, None, problem=error.reason)
    summary = (inspect.getdoc(import_operator(path)) or "").strip().partition("\n")[0]
    schema = {
        "properties": {name: {} for name in sorted(signature.accepted)},
        "required": sorted(signature.required),
        "additionalProperties": signature.open_ended,
    }
    return Entry("operator", path, None, path, summary, schema)
