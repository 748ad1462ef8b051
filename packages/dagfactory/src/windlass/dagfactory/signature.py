"""What an operator or notifier class accepts: its import, and what its constructor's signature names.

Classes given by path have no spec; the signature is what there is to check `args` against before a run.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from windlass.dagfactory.errors import (
    RegistryError,
    UnknownNotifierError,
    UnknownOperatorError,
    UnknownTimetableError,
    UnusableNotifierError,
    UnusableOperatorError,
    UnusableTimetableError,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, BaseOperator

__all__ = [
    "Kind",
    "Signature",
    "import_class",
    "import_notifier",
    "import_operator",
    "signature_of",
    "takes_duration",
]

Kind = Literal["operator", "notifier", "timetable"]

_ERRORS: Mapping[Kind, tuple[type[RegistryError], type[RegistryError]]] = {
    "operator": (UnknownOperatorError, UnusableOperatorError),
    "notifier": (UnknownNotifierError, UnusableNotifierError),
    "timetable": (UnknownTimetableError, UnusableTimetableError),
}
_BASES: Mapping[Kind, tuple[str, ...]] = {
    "operator": ("airflow.sdk.BaseOperator",),
    "notifier": ("airflow.sdk.BaseNotifier",),
    "timetable": ("airflow.sdk.bases.timetable.BaseTimetable", "airflow.timetables.base.Timetable"),
}


@dataclass(frozen=True)
class Signature:
    """What a class's constructor takes under `args`.

    Attributes:
        accepted: Names of all parameters of its own, without Airflow's.
        required: Those without default.
        airflow: Parameters of Airflow's base class that do not belong under `args`.
        open_ended: Whether it takes names that no signature tells of.
        annotations: The type that each parameter of its own is annotated with, as text.
        variadic: Name of the parameter that takes any number of positional arguments, if there is one.
    """

    accepted: frozenset[str]
    required: frozenset[str]
    airflow: frozenset[str]
    open_ended: bool
    annotations: Mapping[str, str] = field(default_factory=dict)
    variadic: str | None = None


def import_operator(path: str) -> type[BaseOperator]:
    """Import an operator class by its path.

    Raises:
        UnknownOperatorError: The module or the class does not exist.
        UnusableOperatorError: The import fails, or the class is no operator.
    """
    found: type[BaseOperator] = import_class(path, "operator")
    return found


def import_notifier(path: str) -> type[BaseNotifier]:
    """Import a notifier class by its path.

    Raises:
        UnknownNotifierError: The module or the class does not exist.
        UnusableNotifierError: The import fails, or the class is no notifier.
    """
    found: type[BaseNotifier] = import_class(path, "notifier")
    return found


@cache
def import_class(path: str, kind: Kind) -> Any:
    """Import a class of a kind by its path.

    Args:
        path: The path.
        kind: What it is to be.

    Raises:
        RegistryError: The module or the class does not exist, the import fails, or the class is of no such
            kind; the error's class tells which.
    """
    unknown, unusable = _ERRORS[kind]
    module_name, _, class_name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise unknown(path, f"there is no module {error.name!r}; install its package") from error
        raise unusable(path, f"its module cannot be imported: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() too: it must not end the check of others
        raise unusable(path, f"its module cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if found is None:
        # A module that imports names when they are asked for holds only those that were; __all__ lists them.
        names = {*dir(module), *getattr(module, "__all__", ())}
        from windlass.dagfactory.diagnostics import did_you_mean

        near = did_you_mean(class_name, sorted(name for name in names if name[:1].isupper()))
        reason = f"the module {module_name!r} has no {class_name!r}"
        raise unknown(path, reason, [near] if near else [])
    if not isinstance(found, type) or not _bases(kind) & set(found.__mro__):
        raise unusable(path, f"it is no subclass of {_BASES[kind][0]}")
    if inspect.isabstract(found):
        raise unusable(path, "it is abstract; use one of its subclasses")
    return found


@cache
def _bases(kind: Kind) -> set[type]:
    found = set()
    for path in _BASES[kind]:
        module, _, name = path.rpartition(".")
        found.add(getattr(import_module(module), name))
    return found


@cache
def signature_of(path: str, kind: Kind = "operator") -> Signature:
    """Read the parameters of a class's constructor, following **kwargs up its bases.

    Args:
        path: The class.
        kind: What it is to be.

    Raises:
        RegistryError: As `import_class`.
    """
    found, ends = import_class(path, kind), _bases(kind)
    accepted: dict[str, inspect.Parameter] = {}
    required: frozenset[str] | None = None
    variadic: str | None = None
    open_ended = True
    for base in found.__mro__:
        if base in ends or base is object:
            open_ended = False
            break
        if "__init__" not in vars(base):
            continue
        own = _named(base)
        if required is None:
            required = frozenset(name for name, p in own.items() if p.default is p.empty)
            variadic = _variadic(base)
        accepted = own | accepted
        if not _takes_more(base):
            open_ended = False
            break
    given = {"task_id"} if kind == "operator" else {"context"} if kind == "notifier" else set()
    return Signature(
        frozenset(accepted) - given,
        (required or frozenset()) - given,
        frozenset(_named(next(iter(ends)))) if kind == "operator" else frozenset(),
        open_ended,
        {name: str(p.annotation) for name, p in accepted.items()},
        variadic,
    )


def _parameters(base: type) -> list[inspect.Parameter]:
    return list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]


def _named(base: type) -> dict[str, inspect.Parameter]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: p for p in _parameters(base) if p.kind in named}


def _variadic(base: type) -> str | None:
    return next((p.name for p in _parameters(base) if p.kind is p.VAR_POSITIONAL), None)


def _takes_more(base: type) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in _parameters(base))


def takes_duration(annotation: str) -> bool:
    """Tell by a parameter's annotation whether it takes a timedelta and no text."""
    return "timedelta" in annotation and "str" not in annotation
