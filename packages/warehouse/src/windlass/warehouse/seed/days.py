"""Decide on which days sales happen: five years, the days that miss, and the store whose feed stopped."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from windlass.warehouse.seed.draws import Feed, Variable, bounded, permutation, words

__all__ = ["DAYS", "DAY_COUNT", "FIRST_DAY", "HOLIDAYS", "STORE_COUNT", "FeedGaps", "day_deck", "feed_gaps"]

FIRST_DAY = dt.date(2021, 1, 1)
DAY_COUNT = 1826
DAYS = tuple(FIRST_DAY + dt.timedelta(days=offset) for offset in range(DAY_COUNT))
"""The days of the calendar, 2021-01-01 to 2025-12-31. Elsewhere a day is its offset in here."""

STORE_COUNT = 10

_MISSING_DAYS = 3
_EASTER_SUNDAYS = (
    dt.date(2021, 4, 4), dt.date(2022, 4, 17), dt.date(2023, 4, 9), dt.date(2024, 3, 31), dt.date(2025, 4,
    20),
)  # fmt: skip
_FIXED_HOLIDAYS = (
    (1, 1, "New Year's Day"),
    (5, 1, "Labour Day"),
    (12, 25, "Christmas Day"),
    (12, 26, "Boxing Day"),
)


def _holidays() -> dict[dt.date, str]:
    fixed = {
        dt.date(easter.year, month, day): name
        for easter in _EASTER_SUNDAYS
        for month, day, name in _FIXED_HOLIDAYS
    }
    fridays = {easter - dt.timedelta(days=2): "Good Friday" for easter in _EASTER_SUNDAYS}
    mondays = {easter + dt.timedelta(days=1): "Easter Monday" for easter in _EASTER_SUNDAYS}
    return dict(sorted((fixed | fridays | mondays).items()))


HOLIDAYS = _holidays()


@dataclass(frozen=True, slots=True)
class FeedGaps:
    """What the stores' feed lacks as a whole.

    Attributes:
        missing_days: Offsets of the days without any sale, ascending.
        stale_store: Index of the store whose feed stopped, 0 for S01.
        stale_after: Offset of that store's last day.
    """

    missing_days: tuple[int, ...]
    stale_store: int
    stale_after: int


@lru_cache(maxsize=8)
def feed_gaps(seed: int) -> FeedGaps:
    """Choose the days that miss (no holidays, not near the ends) and the store that fell silent in 2024."""
    ordinary = np.array(
        [offset for offset in range(30, DAY_COUNT - 60) if DAYS[offset] not in HOLIDAYS], dtype=np.int64
    )
    chosen = permutation(seed, Feed.SHARED, Variable.MISSING_DAYS, len(ordinary))[:_MISSING_DAYS]
    drawn = words(seed, Feed.SHARED, Variable.STALE_STORE, first=0, count=1)
    year_2024 = (dt.date(2024, 1, 1) - FIRST_DAY).days
    return FeedGaps(
        missing_days=tuple(sorted(ordinary[chosen].tolist())),
        stale_store=int(bounded(drawn, STORE_COUNT, shift=0)[0]),
        stale_after=year_2024 + int(bounded(drawn, 366, shift=32)[0]),
    )


@lru_cache(maxsize=8)
def day_deck(seed: int) -> NDArray[np.int64]:
    """Make the deck from which receipts take their days, in turn and again from the start.

    Every day but the missing ones is in it once before any is in it twice, so that no day is empty by chance
    once there are as many receipts as days. Fridays, Saturdays and December are in it more often.
    """
    gaps = feed_gaps(seed)
    once = np.array(
        [offset for offset in range(DAY_COUNT) if offset not in gaps.missing_days], dtype=np.int64
    )
    rest = np.repeat(once, [_extra_weight(DAYS[offset]) for offset in once])
    deck = np.concatenate(
        [
            once[permutation(seed, Feed.SHARED, Variable.DECK_ONCE, len(once))],
            rest[permutation(seed, Feed.SHARED, Variable.DECK_REST, len(rest))],
        ]
    )
    deck.flags.writeable = False
    return deck


def _extra_weight(day: dt.date) -> int:
    return 1 + (day.isoweekday() in (5, 6)) + (day.month == 12) * 2 - (day in HOLIDAYS)  # noqa: PLR2004
