"""The words of a config that stand for times: durations and absolute dates, parsed without Airflow."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = ["Duration", "Moment", "PositiveDuration", "parse_duration", "parse_moment"]

_LIMIT = timedelta(days=3650)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHORT = re.compile(r"([0-9]{1,9})([smhd])\Z")
_ISO = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,6})?)S)?)?\Z"
)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
_RELATIVE = re.compile(
    r"\{\{|\b(?:now|today|yesterday|tomorrow|ago|last|next)\b|days_ago|timedelta"
    r"|\A[+-]?\s*[0-9]+\s*(?:s|m|h|d|w|y|sec|min|hour|day|week|month|year)",
    re.IGNORECASE,
)


def parse_duration(value: Any) -> timedelta:
    """Parse `30s`, `5m`, `2h`, `1d` or an ISO 8601 duration of weeks, days, hours, minutes and seconds.

    Raises:
        PydanticCustomError: Of type `duration_type` or `duration`.
    """
    if not isinstance(value, str):
        raise PydanticCustomError("duration_type", "not a duration")
    short = _SHORT.match(value)
    iso = None if short else _ISO.match(value)
    if short:
        amount = timedelta(**{_UNITS[short[2]]: int(short[1])}) if int(short[1]) < 10**8 else None
    elif iso:
        parts = zip(("weeks", "days", "hours", "minutes", "seconds"), iso.groups(), strict=True)
        amount = _sum({name: float(part) for name, part in parts if part})
    else:
        raise PydanticCustomError("duration", "not a duration")
    if amount is None or amount > _LIMIT:
        raise PydanticCustomError("duration", "longer than ten years")
    return amount


def _sum(parts: dict[str, float]) -> timedelta | None:
    try:
        return timedelta(**parts)
    except OverflowError:
        return None


def _positive(value: Any) -> timedelta:
    amount = parse_duration(value)
    if not amount:
        raise PydanticCustomError("duration", "must be longer than zero")
    return amount


def parse_moment(value: Any) -> datetime:
    """Parse an ISO 8601 date or datetime; a date is its midnight. The time zone may be missing.

    Raises:
        PydanticCustomError: Of type `moment_type`, `moment` or `relative_moment`.
    """
    if not isinstance(value, str):
        raise PydanticCustomError("moment_type", "not a date")
    if not _MOMENT.match(value):
        if _RELATIVE.search(value):
            raise PydanticCustomError("relative_moment", "a relative date")
        raise PydanticCustomError("moment", "not an ISO 8601 date")
    try:
        if len(value) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(value), datetime.min.time())
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("moment", "no such day or time") from error


# What editors check while a value is typed: the forms above, or a variable that stands for one.
_VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"


def _in_editor(pattern: str, message: str, examples: list[str]) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(?:{pattern})$|{_VARIABLE}",
            "patternErrorMessage": message,
            "examples": examples,
        }
    )


_EITHER = f"{_SHORT.pattern[:-2]}|{_ISO.pattern[:-2]}"  # without Python's end of text
_DURATIONS = ["30s", "5m", "2h", "1d", "PT1H30M"]
_NO_DURATION = 'Write a duration: "30s", "5m", "2h", "1d", or ISO 8601 such as "PT1H30M".'
_NO_MOMENT = 'Write an absolute date: "2026-01-31" or "2026-01-31T06:00:00".'

Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), _in_editor(_EITHER, _NO_DURATION, _DURATIONS)
]
PositiveDuration = Annotated[
    timedelta,
    BeforeValidator(_positive),
    _in_editor(f"(?=.*[1-9])(?:{_EITHER})", _NO_DURATION, _DURATIONS),
]
Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    _in_editor(_MOMENT.pattern[:-2], _NO_MOMENT, ["2026-01-31", "2026-01-31T06:00:00"]),
]
