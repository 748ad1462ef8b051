"""Is the schedule one that Airflow can follow: cron, time zone, dates and what depends on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError

from windlass.dagfactory.checks.timetable import check_timetable
from windlass.dagfactory.diagnostics import Code, Finding, did_you_mean
from windlass.dagfactory.values import parse_moment

__all__ = ["check_schedule", "zone"]

_PRESETS = ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_FIELDS, _LEAST_LIKE_CRON = 5, 4
_LONGEST = 250
_OF_THE_MACHINE = frozenset({"Factory", "localtime", "posixrules"})
"""What databases of time zones hold beside zones; the same name means another time elsewhere."""
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
_EPOCH = datetime(2024, 1, 1)  # noqa: DTZ001 - croniter gets naive times from Airflow too


def check_schedule(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Check cron expression, time zone and the settings that hang on them."""
    schedule, name = data.get("schedule"), data.get("timezone", "UTC")
    if isinstance(schedule, str) and 0 < len(schedule) <= _LONGEST:  # else the model has reported it
        problem = _cron_problem(schedule)
        if problem is not None:
            near = _instead(schedule)
            yield Finding(Code.CRON, ("schedule",), problem, near)
    if isinstance(schedule, dict) and isinstance(schedule.get("timetable"), str):
        yield from check_timetable(schedule)
    if isinstance(name, str) and zone(name) is None:
        yield Finding(Code.TIME_ZONE, ("timezone",), f'"{name}" is no time zone', _near_zone(name))
    yield from _check_dates(data, zone(name) if isinstance(name, str) else None)
    yield from _check_settings(data, schedule)


def _instead(schedule: str) -> str | None:
    from windlass.dagfactory.guesses import meant_schedule

    meant = meant_schedule(schedule)
    near = did_you_mean(schedule, list(_PRESETS)) if schedule.startswith("@") else None
    return f"write {meant}" if meant else near


def _check_settings(data: Mapping[str, Any], schedule: Any) -> Iterator[Finding]:
    if data.get("catchup") is True and schedule is not None and data.get("start_date") is None:
        yield Finding(
            Code.SCHEDULE_SETTINGS,
            ("catchup",),
            "catchup needs to know from when",
            "add start_date or remove catchup",
        )
    runs = data.get("max_active_runs")
    if schedule == "@continuous" and isinstance(runs, int) and runs > 1:
        message = "@continuous allows one run at a time"
        yield Finding(Code.SCHEDULE_SETTINGS, ("max_active_runs",), message, "write 1 or remove it")


def _check_dates(data: Mapping[str, Any], tz: ZoneInfo | None) -> Iterator[Finding]:
    start, end = (_moment(data.get(key), tz) for key in ("start_date", "end_date"))
    for key, moment in (("start_date", start), ("end_date", end)):
        if moment is not None and not _FIRST <= moment <= _LAST:
            yield Finding(Code.DATE, (key,), f'"{key}" lies outside the years 1900 to 2199')
    if start is not None and end is not None and end < start:
        yield Finding(Code.DATE_ORDER, ("end_date",), "end_date lies before start_date")


def _moment(value: Any, tz: ZoneInfo | None) -> datetime | None:
    try:
        moment = parse_moment(value)
    except PydanticCustomError:
        return None  # the model has reported it
    return moment if moment.tzinfo else moment.replace(tzinfo=tz or UTC)


@lru_cache(maxsize=4096)
def _cron_problem(expression: str) -> str | None:
    if expression in _PRESETS:
        return None
    if expression.startswith("@"):
        return f'there is no preset "{expression}"; there are {", ".join(_PRESETS)}'
    fields = len(expression.split())
    if fields < _LEAST_LIKE_CRON:
        return f'"{expression}" is no schedule: neither cron nor a preset'
    if fields != _FIELDS:  # a sixth would be seconds, at its end: a run each second where none was meant
        return f"a cron expression has five fields, this has {fields}"
    return _unfit_cron(expression)


def _unfit_cron(expression: str) -> str | None:
    from croniter import CroniterBadDateError, CroniterError, croniter

    try:
        croniter(expression, _EPOCH).get_next(datetime)
    except CroniterBadDateError:
        return "there is no day on which this would run"
    except CroniterError as error:
        return f"not a cron expression: {error}"
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OverflowError,
    ) as error:  # croniter's own slips on odd input
        return f"not a cron expression: {type(error).__name__}"
    return None


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """Find a time zone by its IANA name, or None."""
    if name in _OF_THE_MACHINE:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # not found, a path, a folder of the database
        return None


def _near_zone(name: str) -> str | None:
    from zoneinfo import available_timezones

    return did_you_mean(name, sorted(available_timezones() - _OF_THE_MACHINE))
