"""What is installed for configs to name, for people: each with its package, parameters and problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic.errors import PydanticUserError

from windlass.dagfactory.errors import RegistryError
from windlass.dagfactory.registry import GROUP, Registry
from windlass.dagfactory.schema.describe import Property, properties_of

__all__ = ["Entry", "Kind", "catalog"]

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


def catalog(entries: Iterable[EntryPoint] | None = None) -> list[Entry]:
    """Load everything that is registered; what cannot be loaded is an entry with a problem.

    Args:
        entries: Entry points to choose from; those of what is installed by default.

    Returns:
        Operators, then notifiers, each sorted by name.
    """
    given = None if entries is None else list(entries)
    return list(_entries("operator", GROUP, given))


def _entries(kind: Kind, group: str, given: list[EntryPoint] | None) -> Iterator[Entry]:
    points = list(entry_points(group=group)) if given is None else given
    registry = Registry(points)
    for name in registry.names():
        package = _packages(name, points)
        try:
            spec = registry.get(name)
            schema = spec.parameters.model_json_schema()
        except RegistryError as error:
            yield Entry(kind, name, package, problem=error.reason)
        except PydanticUserError as error:
            reason = f"its model of parameters has no JSON schema: {error}; its package must be corrected"
            yield Entry(kind, name, package, problem=reason)
        else:
            summary = " ".join(spec.summary.split())
            yield Entry(kind, name, package, spec.operator, summary, schema)


def _packages(name: str, points: list[EntryPoint]) -> str | None:
    found = {
        f"{point.dist.name} {point.dist.version}" for point in points if point.name == name and point.dist
    }
    return " and ".join(sorted(found)) or None
