"""What this package raises, so that one `except` catches all of it and none of Airflow's.

The whole tree::

    DagFactoryError
    ├── ConfigError           a config has mistakes; carries them all as diagnostics
    ├── RegistryError         an operator or notifier cannot be offered to configs
    │   ├── UnknownOperatorError        no such short name or class
    │   ├── UnusableOperatorError       it is there, but cannot be imported or is no operator
    │   ├── UnknownNotifierError        the same of notifiers
    │   ├── UnusableNotifierError
    │   ├── UnknownTimetableError       the same of timetables, which go by class path only
    │   └── UnusableTimetableError
    ├── ScaffoldError         a new pipeline cannot be written
    └── StubsError            stubs cannot be written or brought up to date

Mistakes in a config are data (`windlass.dagfactory.diagnostics.Diagnostic`); `ConfigError` carries them where
an exception is needed, as in a stub that Airflow parses. All of these pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from windlass.dagfactory.diagnostics import Diagnostic

__all__ = [
    "ConfigError",
    "DagFactoryError",
    "RegistryError",
    "ScaffoldError",
    "StubsError",
    "UnknownNotifierError",
    "UnknownOperatorError",
    "UnknownTimetableError",
    "UnusableNotifierError",
    "UnusableOperatorError",
    "UnusableTimetableError",
]


class DagFactoryError(Exception):
    """Everything that `windlass.dagfactory` raises on purpose."""


class ConfigError(DagFactoryError):
    """One or more configs have mistakes.

    Attributes:
        diagnostics: Every mistake, in the order of files and lines.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        from windlass.dagfactory.diagnostics import render_text

        self.diagnostics = tuple(diagnostics)
        super().__init__(render_text(self.diagnostics))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.diagnostics,)


class RegistryError(DagFactoryError):
    """An operator or notifier cannot be offered to configs.

    Attributes:
        kind: What it is: `operator`, `notifier` or `timetable`.
        name: The short name or class path as the config has it.
        reason: Why, and what to do about it.
        suggestions: Near names that do exist.
    """

    kind: ClassVar[str] = "operator"

    def __init__(self, name: str, reason: str, suggestions: Sequence[str] = ()) -> None:
        self.name = name
        self.reason = reason
        self.suggestions = tuple(suggestions)
        super().__init__(f"{self.kind} {name!r}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.reason, self.suggestions)


class UnknownOperatorError(RegistryError):
    """No registered short name and no class path is called so."""


class UnusableOperatorError(RegistryError):
    """The operator's module fails to import, or what it names is no operator."""


class UnknownNotifierError(RegistryError):
    """No registered short name and no class path is called so."""

    kind = "notifier"


class UnusableNotifierError(RegistryError):
    """The notifier's module fails to import, or what it names is no notifier."""

    kind = "notifier"


class UnknownTimetableError(RegistryError):
    """No class is called so."""

    kind = "timetable"


class UnusableTimetableError(RegistryError):
    """The timetable's module fails to import, or what it names is no timetable."""

    kind = "timetable"


class _FolderError(DagFactoryError):
    def __init__(self, folder: str, reason: str) -> None:
        self.folder = folder
        self.reason = reason
        super().__init__(f"{folder}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.folder, self.reason)


class ScaffoldError(_FolderError):
    """A new pipeline cannot be written.

    Attributes:
        folder: The folder it would have.
        reason: Why, and what to do about it.
    """


class StubsError(_FolderError):
    """Stubs cannot be written or brought up to date.

    Attributes:
        folder: The folder concerned.
        reason: Why, and what to do about it.
    """
