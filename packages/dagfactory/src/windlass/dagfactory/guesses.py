"""What somebody meant who wrote a duration, a date or a schedule as other tools want it; for advice only."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

from pydantic_core import PydanticCustomError

from windlass.dagfactory.secrets.hints import hints_in
from windlass.dagfactory.values import parse_duration

__all__ = ["meant_date", "meant_duration", "meant_schedule", "said"]

_LONGEST = 80
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("w", "week", "weeks"), 604800),
}
_AMOUNT = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)\s*([a-z]+)\s*,?\s*", re.IGNORECASE)
_CLOCK = re.compile(r"(?:([0-9]{1,4})\s+days?,\s*)?([0-9]{1,3}):([0-9]{2})(?::([0-9]{2}))?\Z")
_FIVE_DATE = re.compile(r"([0-9]{4})[-/.]?([0-9]{1,2})[-/.]?([0-9]{1,2})(?:[T ].*)?\Z")
_TURNED_DATE = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})\Z")
_SIX_FIELDS = re.compile(r"0\s+((?:\S+\s+){4}\S+)\Z")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://")
_MONTHS = 12
_PRESETS = {
    "midnight": "daily",
    "annually": "yearly",
    "every day": "daily",
    "every hour": "hourly",
    "every week": "weekly",
    "every month": "monthly",
    "every year": "yearly",
    **{
        name: name
        for name in ("once", "continuous", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly")
    },
}


def said(value: Any) -> str:
    """Write a value as a config says it; no more than … of a long one, or of what may be a secret."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST and not hints_in(text) else "…"


def meant_duration(value: Any) -> str | None:
    """Guess a duration: `"10 minutes"`, `"00:10:00"`, `{"minutes": 10}` is `10m`; None for anything else.

    A bare number is none: whether seconds or minutes are meant cannot be known.
    """
    seconds: float | None = None
    if isinstance(value, dict) and value:
        parts = [(amount, str(unit)) for unit, amount in value.items()]
        seconds = _sum(parts)
    elif isinstance(value, str) and len(value) <= _LONGEST:
        text = value.strip()
        clock = _CLOCK.match(text)
        found = _AMOUNT.findall(text)
        if clock:
            days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
            seconds = days * 86400 + hours * 3600 + minutes * 60 + rest
        elif found and not _AMOUNT.sub("", text).strip():
            seconds = _sum([(float(amount), unit) for amount, unit in found])
    return None if not seconds or seconds != int(seconds) else _written(int(seconds))


def _sum(parts: list[tuple[Any, str]]) -> float | None:
    total = 0.0
    for amount, unit in parts:
        if type(amount) not in (int, float) or unit.lower() not in _UNITS:
            return None
        total += amount * _UNITS[unit.lower()]
    return total if 0 < total < timedelta(days=3650).total_seconds() else None


def _written(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def meant_date(value: str) -> str | None:
    """Guess a date that is written otherwise, and say how to write it; both ways where two can be meant."""
    found = _FIVE_DATE.match(value.strip())
    if found:
        day = _day(*map(int, found.groups()))
        return day and f'write "{day}"'
    turned = _TURNED_DATE.match(value.strip())
    if turned is None:
        return None
    first, second, year = map(int, turned.groups())
    days = dict.fromkeys(day for day in (_day(year, second, first), _day(year, first, second)) if day)
    return "write " + " or ".join(f'"{day}"' for day in days) if days else None


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def meant_schedule(value: Any) -> str | None:
    """Guess a schedule: a preset without @, an interval, assets as Airflow takes them; or None."""
    if isinstance(value, str):
        return _meant_text(value.strip())
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return said({"every": _written(int(value))}) if value >= 1 else None
    if isinstance(value, list):
        return said({"all": [_asset(each) for each in value]}) if value else "null"
    return _meant_object(value) if isinstance(value, dict) else None


def _meant_text(text: str) -> str | None:
    lower = text.lower().removeprefix("@")
    if lower in ("none", "null", "never", "manual", ""):
        return "null, without quotes"
    if lower in _PRESETS:
        return f'"@{_PRESETS[lower]}"'
    if _URI.match(text):
        return json.dumps({"asset": text})  # what shows it hides a password in it
    if seconds_first := _SIX_FIELDS.match(text):
        return said(seconds_first[1].replace("?", "*"))
    interval = re.sub(r"\Aevery\s+", "", lower)
    interval = f"1 {interval}" if interval in _UNITS else interval
    try:
        parse_duration(text)
    except PydanticCustomError:
        short = meant_duration(interval)
        return said({"every": short}) if short else None
    return said({"every": text})


def _meant_object(value: dict[str, Any]) -> str | None:
    interval = meant_duration(value)
    if interval:
        return said({"every": interval})
    if len(value) != 1:
        return None
    [(key, inner)] = value.items()
    if key in ("cron", "cron_expression", "expression", "preset", "interval", "schedule"):
        return said(inner) if isinstance(inner, str) else meant_schedule(inner)
    if key in ("assets", "datasets", "and", "or", "dataset", "uri", "name"):
        if isinstance(inner, list):
            return said({"any" if key == "or" else "all": [_asset(each) for each in inner]})
        return said(_asset(inner)) if isinstance(inner, str) else None
    return None


def _asset(value: Any) -> Any:
    if isinstance(value, dict) and "asset" not in value:
        named = value.get("name") or value.get("uri")
        return {"asset": named} if isinstance(named, str) else value
    return {"asset": value} if isinstance(value, str) else value
