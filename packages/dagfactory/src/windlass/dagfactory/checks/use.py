"""A use of an operator or a notifier as a config has it, and how to construct it once it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from windlass.dagfactory.diagnostics import JsonPath
from windlass.dagfactory.plan.model import Call, Output

__all__ = ["Call", "Calls", "Output", "Use"]


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Use(NamedTuple):
    """What a config says of one use of an operator or notifier.

    Attributes:
        name: Short name or class path.
        path: Where the object stands that has it.
        args: Its arguments, with those of the defaults.
        origins: Where those arguments stand that are not in the object's own `args`.
        expand: Mapped parameters: a list of values, or another task's output.
        rows: The objects of `expand_kwargs`, or another task's output; None where there are none.
    """

    name: str
    path: JsonPath
    args: Mapping[str, Any]
    origins: Mapping[str, JsonPath] = _NOTHING
    expand: Mapping[str, Any] = _NOTHING
    rows: Any = None

    def where(self, name: str) -> JsonPath:
        """Tell where an argument stands."""
        return self.origins.get(name) or (*self.path, "args", name)

    @property
    def mapped(self) -> bool:
        """Whether the task is mapped."""
        return bool(self.expand) or self.rows is not None

    @property
    def at(self) -> JsonPath:
        """Where a missing argument is to be added."""
        return (*self.path, "args") if len(self.args) > len(self.origins) else self.path


class Calls(dict[str, Call]):
    """The calls of a config's tasks by task id, and of its compensations by path.

    Attributes:
        compensations: Call by the path of a task, or by `()` for the DAG.
    """

    def __init__(self) -> None:
        super().__init__()
        self.compensations: dict[JsonPath, Call] = {}
