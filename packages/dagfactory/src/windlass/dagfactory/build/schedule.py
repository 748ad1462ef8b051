"""When a DAG runs, in Airflow's objects: timetables, assets and the moments of its start and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import pendulum
from airflow.sdk import Asset, AssetAlias, AssetAll, AssetAny, CronDataIntervalTimetable, CronTriggerTimetable

from windlass.dagfactory.build.airflow_settings import bool_setting
from windlass.dagfactory.plan.model import DagPlan
from windlass.dagfactory.signature import import_class, signature_of, takes_duration

__all__ = ["make_assets", "make_moment", "make_schedule"]


def make_schedule(plan: DagPlan) -> Any:
    """Make what `airflow.sdk.DAG` takes as its schedule.

    Cron gets its timetable here: without a start date Airflow would read it in its own default time zone.
    """
    schedule = plan.schedule
    if isinstance(schedule, str):
        return schedule if schedule in ("@once", "@continuous") else _cron(schedule, plan.timezone)
    if not isinstance(schedule, dict):
        return schedule
    return _timetable(schedule, plan.timezone) if "timetable" in schedule else _asset(schedule)


def make_moment(moment: datetime | None, zone: str) -> datetime | None:
    """Put a date of a config into its time zone."""
    if moment is None:
        return None
    tz = _zone(zone)
    return pendulum.instance(moment, tz=tz).in_timezone(tz)


def make_assets(assets: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Make the outlets or inlets of a task."""
    return [_asset(asset) for asset in assets]


def _cron(schedule: str, zone: str) -> Any:
    intervals = bool_setting("scheduler", "create_cron_data_intervals")
    timetable = CronDataIntervalTimetable if intervals else CronTriggerTimetable
    return timetable(schedule, timezone=_zone(zone))


@cache
def _zone(name: str) -> Any:
    return pendulum.timezone(name)


def _asset(expression: Mapping[str, Any]) -> Any:
    if "alias" in expression:
        return AssetAlias(expression["alias"])
    if "any" in expression:
        return AssetAny(*map(_asset, expression["any"]))
    if "all" in expression:
        return AssetAll(*map(_asset, expression["all"]))
    name, group = expression["asset"], expression.get("group")
    uri = expression.get("uri") or name
    return Asset(name, uri) if group is None else Asset(name, uri, group=group)


def _timetable(schedule: Mapping[str, Any], zone: str) -> Any:
    """Construct a timetable, durations and the config's time zone put in where it takes them."""
    path = schedule["timetable"]
    timetable, signature = import_class(path, "timetable"), signature_of(path, "timetable")
    arguments = dict(schedule.get("args", {}))
    for name, value in arguments.items():
        if isinstance(value, str) and takes_duration(signature.annotations.get(name, "")):
            from windlass.dagfactory.values import parse_duration

            arguments[name] = parse_duration(value)
    if "timezone" in signature.accepted:
        arguments.setdefault("timezone", zone)
    several = arguments.pop(signature.variadic, []) if signature.variadic else []
    made = timetable(*(several if isinstance(several, list) else (several,)), **arguments)
    made.validate()
    return made
