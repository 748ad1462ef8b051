"""Make the people and products that sales refer to: names by Faker, the rest drawn by position.

Faker draws one after the other, so it fills fixed pools; a customer or product is a choice from the pools by
its id.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from windlass.warehouse.seed.draws import Feed, Variable, bounded, words

__all__ = [
    "CATEGORIES", "COUNTRIES", "DISCOUNTS", "ITEM_COUNT", "SEGMENTS", "Customers", "Products",
    "customers", "item_prices", "micros", "products",
]  # fmt: skip

Strings = NDArray[np.bytes_]

COUNTRIES = ("DE", "FR", "ES", "IT", "NL", "AT", "BE", "IE", "PL", "PT")
SEGMENTS = ("consumer", "small_business", "corporate")
_SEGMENT_TABLE = np.array([0] * 7 + [1] * 2 + [2])

CATEGORIES = {
    "beauty": ("Hand Cream", "Shampoo", "Hairbrush", "Soap Bar", "Lip Balm"),
    "books": ("Notebook", "Cookbook", "Atlas", "Diary", "Sketchbook"),
    "clothing": ("Scarf", "Rain Jacket", "Wool Socks", "Beanie", "Shirt"),
    "electronics": ("Headphones", "Desk Lamp", "Charger", "Radio", "Webcam"),
    "garden": ("Watering Can", "Planter", "Rake", "Bird Feeder", "Garden Hose"),
    "grocery": ("Coffee", "Olive Oil", "Honey", "Green Tea", "Biscuits"),
    "home": ("Kettle", "Blanket", "Vase", "Cutting Board", "Mirror"),
    "office": ("Stapler", "Fountain Pen", "Desk Tray", "Binder", "Calendar"),
    "sports": ("Yoga Mat", "Bottle", "Bike Light", "Football", "Skipping Rope"),
    "toys": ("Puzzle", "Kite", "Building Blocks", "Toy Train", "Doll"),
}
ITEM_COUNT = 500
"""Products are items of one list in numbered editions: product `n` is item `(n - 1) % ITEM_COUNT`."""

DISCOUNTS = (100, 100, 90, 75)
"""Per cent of the list price that is paid, equally likely."""

_FIRST_NAMES, _LAST_NAMES = 600, 1000
_PRICE_RANGES = ((100, 999), (500, 2499), (1500, 7999), (5000, 29999))
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_SECOND = 1_000_000


def micros(moment: dt.datetime) -> int:
    """Tell a time as PostgreSQL stores it: microseconds since 2000."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


_CREATED_FROM = micros(dt.datetime(2018, 1, 1, tzinfo=dt.UTC))
_CREATED_SECONDS = 2 * 365 * 86_400
_UPDATED_SECONDS = 365 * 86_400
_PRODUCT_UPDATED_FROM = micros(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))


@dataclass(frozen=True, slots=True)
class Customers:
    """A range of customers; arrays of one length. Times are in microseconds since 2000, before any sale."""

    customer_id: NDArray[np.int64]
    name: Strings
    email: Strings
    country: NDArray[np.int64]
    segment: NDArray[np.int64]
    created_at: NDArray[np.int64]
    updated_at: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Products:
    """A range of products; arrays of one length. `item` is an index of `item_prices`."""

    product_id: NDArray[np.int64]
    sku: Strings
    name: Strings
    category: NDArray[np.int64]
    item: NDArray[np.int64]
    updated_at: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Pools:
    first: Strings
    last: Strings
    first_mail: Strings
    last_mail: Strings
    item_name: Strings


def _mail_part(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


@lru_cache(maxsize=8)
def _pools(seed: int) -> _Pools:
    # Only the providers that are used: Faker's factory would import every provider of the locale.
    from faker.generator import Generator
    from faker.providers.color.en_US import Provider as ColorProvider
    from faker.providers.person.en_US import Provider as PersonProvider

    faker: Any = Generator()
    faker.add_provider(PersonProvider)
    faker.add_provider(ColorProvider)
    faker.seed_instance(seed)
    first = [faker.first_name() for _ in range(_FIRST_NAMES)]
    last = [faker.last_name() for _ in range(_LAST_NAMES)]
    nouns = list(CATEGORIES.values())
    items = []
    for item in range(ITEM_COUNT):
        of_category = nouns[item % len(nouns)]
        noun = of_category[item // len(nouns) % len(of_category)]
        color = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", faker.color_name())
        items.append(f"{faker.last_name()} {noun}, {color}")
    return _Pools(
        first=np.array(first, dtype=np.bytes_),
        last=np.array(last, dtype=np.bytes_),
        first_mail=np.array([_mail_part(name) for name in first], dtype=np.bytes_),
        last_mail=np.array([_mail_part(name) for name in last], dtype=np.bytes_),
        item_name=np.array(items, dtype=np.bytes_),
    )


def _joined(*parts: Strings | bytes) -> Strings:
    whole = parts[0]
    for part in parts[1:]:
        whole = np.strings.add(whole, part)
    assert isinstance(whole, np.ndarray)
    return whole


def customers(seed: int, start: int, stop: int) -> Customers:
    """Make the customers with the ids `start` to `stop - 1`; ids begin at 1."""
    pools, count = _pools(seed), stop - start
    ids = np.arange(start, stop, dtype=np.int64)
    named = words(seed, Feed.CUSTOMER, Variable.NAME, first=start - 1, count=count)
    drawn = words(seed, Feed.CUSTOMER, Variable.ENTITY, first=start - 1, count=count)
    first = bounded(named, _FIRST_NAMES, shift=0)
    last = bounded(named, _LAST_NAMES, shift=32)
    created = _CREATED_FROM + _SECOND * bounded(drawn, _CREATED_SECONDS, shift=32)
    return Customers(
        customer_id=ids,
        name=_joined(pools.first[first], b" ", pools.last[last]),
        email=_joined(
            pools.first_mail[first], b".", pools.last_mail[last], b".", ids.astype("S10"), b"@example.org"
        ),
        country=bounded(drawn, len(COUNTRIES), shift=0, width=16),
        segment=_SEGMENT_TABLE[bounded(drawn, len(_SEGMENT_TABLE), shift=16, width=16)],
        created_at=created,
        updated_at=created + _SECOND * bounded(named ^ drawn, _UPDATED_SECONDS, shift=16),
    )


def products(seed: int, start: int, stop: int) -> Products:
    """Make the products with the ids `start` to `stop - 1`; ids begin at 1."""
    pools, count = _pools(seed), stop - start
    ids = np.arange(start, stop, dtype=np.int64)
    item, edition = (ids - 1) % ITEM_COUNT, (ids - 1) // ITEM_COUNT + 1
    drawn = words(seed, Feed.PRODUCT, Variable.ENTITY, first=start - 1, count=count)
    digits = edition.astype("S10")
    suffix = np.where(edition == 1, b"", _joined(np.full(count, b" No. "), digits))
    return Products(
        product_id=ids,
        sku=_joined(np.full(count, b"SKU-"), np.strings.zfill(ids.astype("S10"), 7)),
        name=_joined(pools.item_name[item], suffix),
        category=item % len(CATEGORIES),
        item=item,
        updated_at=_PRODUCT_UPDATED_FROM + _SECOND * bounded(drawn, _UPDATED_SECONDS, shift=0),
    )


@lru_cache(maxsize=8)
def item_prices(seed: int) -> tuple[int, ...]:
    """Tell the list price of every item, in cents."""
    drawn = words(seed, Feed.SHARED, Variable.ENTITY, first=0, count=ITEM_COUNT)
    ranges = np.array(_PRICE_RANGES)[bounded(drawn, len(_PRICE_RANGES), shift=0)]
    cents = ranges[:, 0] + bounded(drawn, ranges[:, 1] - ranges[:, 0], shift=32)
    return tuple((cents // 10 * 10 + 9).tolist())
