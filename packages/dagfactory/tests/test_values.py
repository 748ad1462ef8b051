"""Durations and dates as configs write them."""

# ruff: noqa: DTZ001 - what a config leaves open stays open

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from windlass.dagfactory.values import parse_duration, parse_moment

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("0s", timedelta(0)),
        ("PT1H30M", timedelta(minutes=90)),
        ("P1DT0.5S", timedelta(days=1, milliseconds=500)),
        ("P2W", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5 m",
        "5M",
        "-5m",
        "1.5h",
        "P",
        "PT",
        "P1Y",
        "P1M",
        "1h30m",
        "999999999d",
        "P9999W",
        "\u0665m",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_duration(text)
    assert caught.value.type == "duration"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31)),
        ("2026-01-31T06:30:00", datetime(2026, 1, 31, 6, 30)),
        ("2026-01-31 06:30", datetime(2026, 1, 31, 6, 30)),
        ("2026-01-31T06:30:00Z", datetime(2026, 1, 31, 6, 30, tzinfo=UTC)),
        ("2026-01-31T06:30:00+00:00", datetime(2026, 1, 31, 6, 30, tzinfo=UTC)),
    ],
)
def test_dates(text: str, expected: datetime) -> None:
    assert parse_moment(text) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("today", "relative_moment"),
        ("2 days", "relative_moment"),
        ("-1d", "relative_moment"),
        ("days_ago(2)", "relative_moment"),
        ("{{ ds }}", "relative_moment"),
        ("31.01.2026", "moment"),
        ("2026-13-01", "moment"),
        ("2026-02-30T00:00:00", "moment"),
        (20260131, "moment_type"),
    ],
)
def test_what_is_no_date_is_refused(value: Any, kind: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_moment(value)
    assert caught.value.type == kind


def test_a_number_is_no_duration() -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_duration(300)
    assert caught.value.type == "duration_type"
