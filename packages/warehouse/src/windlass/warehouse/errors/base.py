"""The base of all failures, and what is not installed."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "MissingExtraError",
    "WarehouseError",
]


def _rebuild(cls: type[WarehouseError], args: tuple[Any, ...], state: dict[str, Any]) -> WarehouseError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class WarehouseError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: Stable identifier of the kind of failure, `WWH...`.
        message: What happened and where, without secrets.
        advice: What to do next; empty when the message says it.
    """

    code: ClassVar[str] = "WWH000"

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        return f"{text}\n{self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException would call the class with `args`, which fails for keyword-only arguments.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class MissingExtraError(WarehouseError):
    """An optional part of the package is needed and not installed.

    Attributes:
        extra: Name of the extra that brings it.
    """

    code = "WWH001"

    def __init__(self, feature: str, *, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra '{extra}', which is not installed.",
            advice=f"Install it: pip install 'windlass-warehouse[{extra}]'",
        )
        self.extra = extra
