"""Measurements as PostgreSQL keeps them: JSON knows no NaN, no decimal numbers, no dates and no NUL."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from windlass.warehouse.errors import LoadError

__all__ = ["as_jsonb", "as_row"]


def as_jsonb(value: Any) -> Jsonb | None:
    """Put a measurement into a parameter.

    Args:
        value: JSON, with the values that come out of databases in it: decimal numbers become numbers, what is
            no number (NaN, infinity), times and UUIDs become text.

    Returns:
        The parameter; None for None, which is no measurement.

    Raises:
        LoadError: There is something else in it.
    """
    return None if value is None else Jsonb(_plain(value))


def as_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make the texts of a row such that PostgreSQL can keep them: what is no text becomes U+FFFD."""
    return {name: _text(value) if type(value) is str else value for name, value in row.items()}


def _text(value: str) -> str:
    return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, bool | int) and not isinstance(value, Enum)):
        return value
    for kinds, converted in _CONVERTED:
        if isinstance(value, kinds):
            return converted(value)
    raise LoadError(
        f"A value of type {type(value).__qualname__} cannot be kept as JSON.",
        advice="Give text, numbers, booleans, times, None, or lists and mappings of them.",
    )


def _number(value: float | Decimal) -> float | str:
    if not math.isfinite(value):
        number = float(value)
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return int(value) if value == int(value) and isinstance(value, Decimal) else float(value)


_CONVERTED: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: _plain(value.value)),
    (str, _text),
    (float | Decimal, _number),
    (date | time, lambda value: value.isoformat()),
    (timedelta | UUID, str),
    (Mapping, lambda value: {_plain(str(name)): _plain(each) for name, each in value.items()}),
    (list | tuple, lambda value: [_plain(each) for each in value]),
)
