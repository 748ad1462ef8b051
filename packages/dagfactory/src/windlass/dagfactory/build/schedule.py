"""When a DAG runs, in Airflow's objects: timetables, assets and the moments of its start and end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import pendulum
from airflow.sdk import Asset, AssetAlias, AssetAll, AssetAny, CronDataIntervalTimetable, CronTriggerTimetable

from windlass.dagfactory.build.airflow_settings import bool_setting
from windlass.dagfactory.checks.timetable import takes_duration
from windlass.dagfactory.model import (
    AliasConfig,
    AllAssetsConfig,
    AnyAssetConfig,
    AssetConfig,
    DagConfig,
    EveryConfig,
    TimetableConfig,
)
from windlass.dagfactory.signature import import_class, signature_of
from windlass.dagfactory.values import parse_duration

__all__ = ["make_assets", "make_moment", "make_schedule"]


def make_schedule(config: DagConfig) -> Any:
    """Make what `airflow.sdk.DAG` takes as its schedule.

    Cron gets its timetable here: without a start date Airflow would read it in its own default time zone.
    """
    schedule = config.schedule
    if schedule is None or schedule in ("@once", "@continuous"):
        return schedule
    if isinstance(schedule, str):
        return _cron(schedule, config.timezone)
    if isinstance(schedule, EveryConfig):
        return schedule.every
    if isinstance(schedule, TimetableConfig):
        return _timetable(schedule, config.timezone)
    return _asset(schedule)


def make_moment(moment: datetime | None, zone: str) -> datetime | None:
    """Put a date of a config into its time zone."""
    if moment is None:
        return None
    tz = _zone(zone)
    return pendulum.instance(moment, tz=tz).in_timezone(tz)


def make_assets(assets: Sequence[AssetConfig | AliasConfig]) -> list[Any]:
    """Make the outlets or inlets of a task."""
    return [_asset(asset) for asset in assets]


def _cron(schedule: str, zone: str) -> Any:
    intervals = bool_setting("scheduler", "create_cron_data_intervals")
    timetable = CronDataIntervalTimetable if intervals else CronTriggerTimetable
    return timetable(schedule, timezone=_zone(zone))


@cache
def _zone(name: str) -> Any:
    return pendulum.timezone(name)


def _asset(expression: AssetConfig | AliasConfig | AnyAssetConfig | AllAssetsConfig) -> Any:
    if isinstance(expression, AliasConfig):
        return AssetAlias(expression.alias)
    if isinstance(expression, AnyAssetConfig):
        return AssetAny(*map(_asset, expression.any_of))
    if isinstance(expression, AllAssetsConfig):
        return AssetAll(*map(_asset, expression.all_of))
    uri = expression.uri or expression.asset
    if expression.group is None:
        return Asset(expression.asset, uri)
    return Asset(expression.asset, uri, group=expression.group)


def _timetable(schedule: TimetableConfig, zone: str) -> Any:
    """Construct a timetable, durations and the config's time zone put in where it takes them."""
    timetable = import_class(schedule.timetable, "timetable")
    signature = signature_of(schedule.timetable, "timetable")
    arguments = dict(schedule.args)
    for name, value in arguments.items():
        if isinstance(value, str) and takes_duration(signature.annotations.get(name, "")):
            arguments[name] = parse_duration(value)
    if "timezone" in signature.accepted:
        arguments.setdefault("timezone", zone)
    several = arguments.pop(signature.variadic, []) if signature.variadic else []
    made = timetable(*(several if isinstance(several, list) else (several,)), **arguments)
    made.validate()
    return made
