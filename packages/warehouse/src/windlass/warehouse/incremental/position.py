"""Positions: values of a watermark column, compared, moved back by an overlap, and kept as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeAlias

from psycopg import sql

from windlass.warehouse.errors import WatermarkError

__all__ = [
    "Kind",
    "Overlap",
    "Position",
    "ceiling",
    "highest",
    "highest_below_ceiling",
    "parse_overlap",
    "read_position",
    "require_position",
    "subtract",
]

Position: TypeAlias = datetime | date | int | Decimal
Overlap: TypeAlias = timedelta | int | Decimal

_SAFE_MARGIN = timedelta(seconds=10)


class Kind(StrEnum):
    """What a watermark column holds."""

    TIMESTAMPTZ = "timestamp with time zone"
    TIMESTAMP = "timestamp without time zone"
    DATE = "date"
    NUMBER = "number"

    @classmethod
    def of_type(cls, oid: int) -> Kind | None:
        """The kind of a column of a PostgreSQL type, None if it cannot be a watermark."""
        return _KINDS.get(oid)


_KINDS = {
    20: Kind.NUMBER,
    21: Kind.NUMBER,
    23: Kind.NUMBER,
    1700: Kind.NUMBER,
    1082: Kind.DATE,
    1114: Kind.TIMESTAMP,
    1184: Kind.TIMESTAMPTZ,
}

_CEILINGS = {
    Kind.TIMESTAMPTZ: "clock_timestamp()",
    # Without a time zone the clock may be any zone's, and none is more than 14 hours from UTC.
    Kind.TIMESTAMP: "clock_timestamp() at time zone 'UTC' + interval '1 day'",
    Kind.DATE: "(clock_timestamp() at time zone 'UTC')::date + 1",
    Kind.NUMBER: "null::numeric",
}


def ceiling(kind: Kind) -> sql.SQL:
    """SQL for the highest position that a watermark may have now, null when there is none.

    A row stamped by a clock that was ahead must not make a watermark that the right time reaches much later.
    """
    return sql.SQL(_CEILINGS[kind])


def highest_below_ceiling(column: sql.Composable, kind: Kind) -> sql.Composed:
    """SQL for the highest value of a column that is not above the ceiling, null without rows."""
    # least() passes over nulls: without the case, no rows would make a watermark of the clock's time.
    return sql.SQL("case when max({0}) is not null then least(max({0}), {1}) end").format(
        column, ceiling(kind)
    )


def read_position(value: object, kind: Kind) -> Position:
    """A position from its text, or from what a user or a driver gives.

    Raises:
        WatermarkError: It is none of this kind.
    """
    try:
        return _READERS[kind](value)
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        raise WatermarkError(
            f"{value!r} is not a position of a watermark column of type {kind}.",
            advice=f"Write it like {_EXAMPLES[kind]}.",
        ) from error


def require_position(value: str) -> None:
    """Refuse what is a position of no kind of column.

    Raises:
        WatermarkError: It is none.
    """
    for kind in Kind:
        with suppress(WatermarkError):
            read_position(value, kind)
            return
    raise WatermarkError(
        f"{value!r} is no position of any watermark column.",
        advice=f"Write it like one of: {', '.join(_EXAMPLES.values())}.",
    )


def _aware(value: object) -> datetime:
    found = _naive_or_aware(value)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _naive(value: object) -> datetime:
    found = _naive_or_aware(value)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _naive_or_aware(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a zone is given by the caller
    return datetime.fromisoformat(_text(value))


def _day(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.strip()


def _number(value: object) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise TypeError
    found = Decimal(str(value).strip())
    if not found.is_finite():
        raise ValueError
    # An index on integers serves no comparison with a numeric.
    return int(found) if found == found.to_integral_value() else found


_READERS: dict[Kind, Callable[[object], Position]] = {
    Kind.TIMESTAMPTZ: _aware,
    Kind.TIMESTAMP: _naive,
    Kind.DATE: _day,
    Kind.NUMBER: _number,
}
_EXAMPLES = {
    Kind.TIMESTAMPTZ: "2026-01-31T06:00:00+00:00",
    Kind.TIMESTAMP: "2026-01-31T06:00:00",
    Kind.DATE: "2026-01-31",
    Kind.NUMBER: "12345",
}


def highest(*positions: Position | None) -> Position | None:
    """The highest of some positions of one kind; None is lower than all."""
    found = [position for position in positions if position is not None]
    return max(found) if found else None


_PART = r"(?:(\d+(?:\.\d+)?){})?"
_PLAIN = re.compile("".join(_PART.format(unit) for unit in ("d", "h", "m", "s")))
_ISO = re.compile(f"P{_PART.format('D')}(?:T{''.join(_PART.format(unit) for unit in 'HMS')})?")


def parse_overlap(value: str | float | Decimal | timedelta | None, kind: Kind) -> Overlap:
    """How far below the watermark a load begins to read.

    Args:
        value: A duration such as `10m` or `PT10M` for times and dates, a number for numbers. None is 10
            seconds, and 0 for numbers.
        kind: What the watermark column holds.

    Raises:
        WatermarkError: It is none, or is negative.
    """
    if kind is Kind.NUMBER:
        distance: Overlap = 0 if value is None else _distance(value)
    else:
        distance = _SAFE_MARGIN if value is None else _duration(value)
    negative = distance < timedelta(0) if isinstance(distance, timedelta) else distance < 0
    if negative:
        raise WatermarkError(f"Overlap {value} is negative.", advice="It tells how far to go back.")
    return distance


def _distance(value: object) -> int | Decimal:
    try:
        return _number(value)
    except (TypeError, ValueError, InvalidOperation) as error:
        raise WatermarkError(
            f"Overlap {value!r} does not fit a watermark column of numbers.",
            advice="Give a number, e.g. 1000 to read the last thousand numbers again.",
        ) from error


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    text = value.strip() if isinstance(value, str) else ""
    match = _PLAIN.fullmatch(text) or _ISO.fullmatch(text)
    parts = match.groups() if match else ()
    if not any(parts):
        raise WatermarkError(
            f"Overlap {value!r} is not a duration, which a watermark column of times or dates needs.",
            advice="Write it like 30s, 10m, 2h, 1d or PT10M; 0s for none.",
        )
    days, hours, minutes, seconds = (float(part or 0) for part in parts)
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def subtract(position: Position, overlap: Overlap) -> Position:
    """The position that lies an overlap below; a part of a day takes the whole day of a date."""
    if isinstance(position, int | Decimal):
        assert not isinstance(overlap, timedelta)
        return position - overlap
    assert isinstance(overlap, timedelta)
    try:
        if isinstance(position, datetime):
            return position - overlap
        return position - timedelta(days=-(-overlap // timedelta(days=1)))
    except OverflowError as error:
        raise WatermarkError(
            f"Overlap {overlap} goes back before the calendar begins.", advice="Give a shorter one."
        ) from error
