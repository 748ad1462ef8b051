from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.warehouse.errors import WatermarkError
from windlass.warehouse.incremental.inflight import InFlight
from windlass.warehouse.incremental.model import Transaction
from windlass.warehouse.incremental.position import Kind, Position, parse_overlap, read_position, subtract
from windlass.warehouse.incremental.progress import wait_for
from windlass.warehouse.incremental.state import position_text

pytestmark = pytest.mark.unit

POSITIONS = st.one_of(
    st.tuples(st.just(Kind.TIMESTAMPTZ), st.datetimes(timezones=st.just(UTC))),
    st.tuples(st.just(Kind.TIMESTAMP), st.datetimes()),
    st.tuples(st.just(Kind.DATE), st.dates()),
    st.tuples(st.just(Kind.NUMBER), st.integers()),
    st.tuples(st.just(Kind.NUMBER), st.decimals(allow_nan=False, allow_infinity=False)),
)


@settings(max_examples=60, derandomize=True, database=None)
@given(POSITIONS)
def test_a_position_comes_back_from_its_text(given_one: tuple[Kind, Position]) -> None:
    kind, position = given_one
    assert read_position(position_text(position), kind) == position


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.TIMESTAMPTZ, "2024-01-31", datetime(2024, 1, 31, tzinfo=UTC)),
        (Kind.TIMESTAMPTZ, date(2024, 1, 31), datetime(2024, 1, 31, tzinfo=UTC)),
        (Kind.TIMESTAMPTZ, "2024-01-31T02:00+02:00", datetime(2024, 1, 31, tzinfo=UTC)),
        (
            Kind.TIMESTAMP,
            datetime(2024, 1, 31, 2, tzinfo=timezone(timedelta(hours=2))),
            datetime(2024, 1, 31),  # noqa: DTZ001
        ),
        (Kind.DATE, datetime(2024, 1, 31, 5), date(2024, 1, 31)),  # noqa: DTZ001
        (Kind.NUMBER, 7.5, Decimal("7.5")),
        (Kind.NUMBER, " 7.0 ", 7),
    ],
)
def test_positions_are_read_from_what_users_write(kind: Kind, value: Any, expected: Position) -> None:
    found = read_position(value, kind)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.TIMESTAMPTZ, 5),
        (Kind.DATE, "yesterday"),
        (Kind.NUMBER, "NaN"),
        (Kind.NUMBER, "Infinity"),
        (Kind.NUMBER, True),
        (Kind.NUMBER, "seven"),
        (Kind.TIMESTAMP, "0044-03-15 BC"),
    ],
)
def test_what_is_no_position_is_refused_with_an_example(kind: Kind, value: Any) -> None:
    with pytest.raises(WatermarkError, match="is not a position") as caught:
        read_position(value, kind)
    assert "Write it like" in caught.value.advice


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1.5m", 90),
        ("2h", 7200),
        ("1d2h", 93600),
        ("PT10M", 600),
        ("P1DT0.5S", 86400.5),
        ("0s", 0),
        (None, 10),
        (timedelta(minutes=1), 60),
    ],
)
def test_durations(text: Any, seconds: float) -> None:
    assert parse_overlap(text, Kind.TIMESTAMPTZ) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "P", "PT", "10", "ten minutes", 10, "-5m", timedelta(-1)])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(WatermarkError):
        parse_overlap(text, Kind.DATE)


@pytest.mark.parametrize("value", ["10m", -1, float("nan")])
def test_what_is_no_distance_is_refused(value: Any) -> None:
    with pytest.raises(WatermarkError):
        parse_overlap(value, Kind.NUMBER)


def test_an_overlap_takes_whole_days_of_dates() -> None:
    day = date(2024, 3, 1)
    assert subtract(day, timedelta(0)) == day
    assert subtract(day, timedelta(seconds=1)) == date(2024, 2, 29)
    assert subtract(day, timedelta(days=1)) == date(2024, 2, 29)
    with pytest.raises(WatermarkError, match="calendar"):
        subtract(datetime(1, 1, 1), timedelta(days=1))  # noqa: DTZ001


def test_waiting_ends_with_the_transactions_or_with_patience() -> None:
    one, two = Transaction("1/1", pid=1, since="b"), Transaction("2/1", pid=2, since="a")
    seconds = [0.0]
    listed = [InFlight("s", (one, two), ()), InFlight("s", (one, two), ()), InFlight("s", (two,), ())]

    def sleep(pause: float) -> None:
        seconds[0] += pause

    def lists() -> InFlight:
        return listed.pop(0) if len(listed) > 1 else listed[0]

    waited = wait_for(lists, 5, patience=1.0, clock=lambda: seconds[0], sleep=sleep)
    assert 1.0 <= seconds[0] < 1.1
    assert waited.pending is not None
    assert (waited.pending.position, waited.pending.transactions) == ("5", ("2/1",))
    assert [each.name for each in waited.blockers] == ["2/1"]
    listed[:] = [InFlight("s", (one,), ()), InFlight("s", (two,), ())]
    assert wait_for(lists, 5, patience=9.0, clock=lambda: 0.0, sleep=sleep).pending is None
