"""List the texts that the columns of a sale hold, good and bad; elsewhere a value is its position in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.seed.catalog import DISCOUNTS, item_prices
from windlass.warehouse.seed.days import DAYS, STORE_COUNT

__all__ = [
    "CHANNEL",
    "QUANTITY",
    "SOLD_ON",
    "STORE_CODE",
    "Vocabulary",
    "sale_cents",
    "unit_price",
    "vocabulary",
]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The texts of a column.

    Attributes:
        good: Values that pass.
        bad: Values that do not, by kind (`None` is NULL); their positions follow those of the good ones.
    """

    good: tuple[str, ...]
    bad: Mapping[AnomalyKind, tuple[str | None, ...]]

    @property
    def texts(self) -> tuple[str | None, ...]:
        """All values, by position."""
        return self.good + tuple(text for texts in self.bad.values() for text in texts)

    def positions(self, kind: AnomalyKind) -> range:
        """Tell where the bad values of a kind stand."""
        first = len(self.good)
        for other, texts in self.bad.items():
            if other is kind:
                return range(first, first + len(texts))
            first += len(texts)
        raise KeyError(kind)


SOLD_ON = Vocabulary(good=tuple(day.isoformat() for day in DAYS), bad={AnomalyKind.NULL: (None,)})

STORE_CODE = Vocabulary(
    good=tuple(f"S{number:02d}" for number in range(1, STORE_COUNT + 1)),
    bad={AnomalyKind.UNKNOWN_VALUE: ("S11", "S99", "s03", "HQ")},
)

CHANNEL = Vocabulary(
    good=("store", "phone"),
    bad={AnomalyKind.UNKNOWN_VALUE: ("kiosk", "fax", "STORE", "other")},
)

QUANTITY = Vocabulary(
    good=tuple(str(quantity) for quantity in range(1, 13)),
    bad={
        AnomalyKind.OUT_OF_RANGE: ("0", "-1", "-12", "101", "250", "9999"),
        AnomalyKind.NOT_A_NUMBER: ("two", "n/a", "3 pcs", "1O", "-", "?"),
    },
)
"""A quantity's position is one less than the quantity."""

_BAD_PRICES: Mapping[AnomalyKind, tuple[str | None, ...]] = {
    AnomalyKind.OUT_OF_RANGE: ("0.00", "-0.01", "-4.99", "100000.01", "250000.00"),
    AnomalyKind.NOT_A_NUMBER: ("free", "n/a", "12,50", "9.99 EUR", "$4.50", "-"),
}


def sale_cents(seed: int) -> tuple[int, ...]:
    """Tell what is paid for one piece, in cents: every item's list price at every discount."""
    return tuple(cents * percent // 100 for cents in item_prices(seed) for percent in DISCOUNTS)


@lru_cache(maxsize=8)
def unit_price(seed: int) -> Vocabulary:
    """List the texts of prices: those of the items of this seed, then the bad ones."""
    return Vocabulary(
        good=tuple(f"{cents // 100}.{cents % 100:02d}" for cents in sale_cents(seed)), bad=_BAD_PRICES
    )


def vocabulary(seed: int, column: str) -> Vocabulary:
    """Find the vocabulary of a column of sales."""
    if column == "unit_price":
        return unit_price(seed)
    return {"sold_on": SOLD_ON, "store_code": STORE_CODE, "channel": CHANNEL, "quantity": QUANTITY}[column]
