"""Turn generated rows into packed chunks, table by table, in the order in which they are loaded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.seed import values
from windlass.warehouse.seed.binary import Coded, Column, Dictionary, Integers, Strings, numeric, pack
from windlass.warehouse.seed.catalog import (
    CATEGORIES,
    COUNTRIES,
    SEGMENTS,
    customers,
    item_prices,
    micros,
    products,
)  # fmt: skip
from windlass.warehouse.seed.days import DAY_COUNT, DAYS, FIRST_DAY, HOLIDAYS, feed_gaps
from windlass.warehouse.seed.draws import Feed
from windlass.warehouse.seed.manifest import Anomaly
from windlass.warehouse.seed.problems import PROBLEMS, arrivals, missing_days
from windlass.warehouse.seed.sales import SalesLines, Volume, sales_lines

__all__ = ["DRIFT_ROWS", "TABLES", "Chunk", "TableRows", "table_anomalies", "table_rows"]

DRIFT_ROWS = 1000
_CHUNK_ROWS = 4096

_ARRIVED_FROM = micros(dt.datetime(2026, 1, 1, 4, tzinfo=dt.UTC))
_MILLISECOND, _MINUTE = 1_000, 60_000_000
_FIRST_DAY = (FIRST_DAY - dt.date(2000, 1, 1)).days

_SALE_COLUMNS = (
    "sale_id", "sold_on", "customer_id", "product_id", "store_code", "channel", "quantity", "unit_price",
    "receipt_number", "line_number",
)  # fmt: skip

_COLUMNS = {
    "source.calendar": ("day", "is_holiday", "holiday_name"),
    "source.customer": (
        "customer_id", "name", "email", "country_code", "segment", "created_at", "updated_at",
    ),
    "source.product": ("product_id", "sku", "name", "category", "unit_price", "updated_at"),
    "source.sale": (*_SALE_COLUMNS, "updated_at"),
    "staging.sale": ("landing_id", *_SALE_COLUMNS, "loaded_at"),
    "staging.sale_drift": (
        "landing_id", "sale_id", "sold_on", "customer_id", "product_id", "store_code", "sales_channel",
        "quantity", "unit_price", "receipt_number", "discount_code", "loaded_at",
    ),
}  # fmt: skip

TABLES = tuple(_COLUMNS)
"""The tables that are filled, `schema.name`."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows, packed.

    Attributes:
        data: Bytes for COPY.
        rows: How many rows they are.
        lines: The manifest's lines about them.
        problems: How many of them have each problem, by its number; empty for none.
    """

    data: NDArray[np.uint8]
    rows: int
    lines: bytes = b""
    problems: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRows:
    """What is loaded into a table.

    Attributes:
        table: `schema.name`.
        columns: The columns, in the order in which they are packed.
        units: How many rows there are, but for further copies of a sale.
        chunks: Makes the rows.
    """

    table: str
    columns: tuple[str, ...]
    units: int
    chunks: Callable[[], Iterator[Chunk]]


def table_rows(seed: int, volume: Volume) -> tuple[TableRows, ...]:
    """List the tables with what goes into them; what is referred to comes before what refers."""
    makers: tuple[tuple[int, Callable[[], Iterator[Chunk]]], ...] = (
        (DAY_COUNT, _calendar),
        (volume.customers, partial(_customers, seed, volume.customers)),
        (volume.products, partial(_products, seed, volume.products)),
        (volume.orders, partial(_orders, seed, volume.orders)),
        (volume.sales, partial(_sales, seed, volume.sales)),
        (DRIFT_ROWS, partial(_drift, seed)),
    )
    return tuple(
        TableRows(table, columns, units, chunks)
        for (table, columns), (units, chunks) in zip(_COLUMNS.items(), makers, strict=True)
    )


def table_anomalies(seed: int, volume: Volume) -> tuple[Anomaly, ...]:
    """List what is wrong with tables as a whole; the manifest begins with it."""
    gaps = feed_gaps(seed)
    drift = (
        ("renamed", "channel"), ("type_changed", "receipt_number"), ("missing", "line_number"),
        ("added", "discount_code"),
    )  # fmt: skip
    return (
        *(
            Anomaly("staging.sale", DAYS[day].isoformat(), "sold_on", AnomalyKind.MISSING_DAY)
            for day in missing_days(seed, volume.sales)
        ),
        Anomaly(
            "staging.sale", values.STORE_CODE.good[gaps.stale_store], "sold_on", AnomalyKind.STALE_PARTITION
        ),
        *(Anomaly("staging.sale_drift", key, column, AnomalyKind.SCHEMA_DRIFT) for key, column in drift),
    )


def _ranges(count: int) -> Iterator[tuple[int, int]]:
    for start in range(1, count + 1, _CHUNK_ROWS):
        yield start, min(start + _CHUNK_ROWS, count + 1)


def _calendar() -> Iterator[Chunk]:
    names = sorted(set(HOLIDAYS.values()))
    position = np.array([names.index(HOLIDAYS[day]) if day in HOLIDAYS else len(names) for day in DAYS])
    is_holiday = Dictionary([b"\0", b"\1"])
    columns = (
        Integers(np.arange(DAY_COUNT) + _FIRST_DAY, size=4),
        Coded(is_holiday, (position < len(names)).astype(np.int64)),
        Coded(Dictionary.of_texts([*names, None]), position),
    )
    yield Chunk(pack(columns, DAY_COUNT), DAY_COUNT)


def _customers(seed: int, count: int) -> Iterator[Chunk]:
    countries, segments = Dictionary.of_texts(COUNTRIES), Dictionary.of_texts(SEGMENTS)
    for start, stop in _ranges(count):
        people = customers(seed, start, stop)
        columns = (
            Integers(people.customer_id),
            Strings(people.name),
            Strings(people.email),
            Coded(countries, people.country),
            Coded(segments, people.segment),
            Integers(people.created_at),
            Integers(people.updated_at),
        )
        yield Chunk(pack(columns, stop - start), stop - start)


def _products(seed: int, count: int) -> Iterator[Chunk]:
    categories = Dictionary.of_texts(tuple(CATEGORIES))
    prices = Dictionary(numeric(cents) for cents in item_prices(seed))
    for start, stop in _ranges(count):
        goods = products(seed, start, stop)
        columns = (
            Integers(goods.product_id),
            Strings(goods.sku),
            Strings(goods.name),
            Coded(categories, goods.category),
            Coded(prices, goods.item),
            Integers(goods.updated_at),
        )
        yield Chunk(pack(columns, stop - start), stop - start)


def _constant(text: str, count: int) -> Coded:
    return Coded(Dictionary.of_texts([text]), np.zeros(count, dtype=np.int64))


def _orders(seed: int, count: int) -> Iterator[Chunk]:
    prices = Dictionary(numeric(cents) for cents in values.sale_cents(seed))
    for start, stop in _ranges(count):
        lines = sales_lines(seed, Feed.WEB, start, stop)
        columns = (
            Integers(lines.sale_id),
            Integers(lines.sold_on + _FIRST_DAY, size=4),
            Integers(lines.customer_id),
            Integers(lines.product_id),
            _constant("WEB", stop - start),
            _constant("web", stop - start),
            Integers(lines.quantity + 1, size=4),
            Coded(prices, lines.unit_price),
            Integers(lines.receipt_number),
            Integers(lines.line_number, size=4),
            Integers(_ARRIVED_FROM + _MINUTE * lines.sale_id),
        )
        yield Chunk(pack(columns, stop - start), stop - start)


class _SaleTexts:
    """The dictionaries of the text columns of a store's sales."""

    def __init__(self, seed: int) -> None:
        self.sold_on = Dictionary.of_texts(values.SOLD_ON.texts)
        self.store_code = Dictionary.of_texts(values.STORE_CODE.texts)
        self.channel = Dictionary.of_texts(values.CHANNEL.texts)
        self.quantity = Dictionary.of_texts(values.QUANTITY.texts)
        self.unit_price = Dictionary.of_texts(values.unit_price(seed).texts)

    def columns(self, lines: SalesLines) -> tuple[Column, ...]:
        """Give the columns from `sale_id` to `unit_price`."""
        return (
            Integers(lines.sale_id),
            Coded(self.sold_on, lines.sold_on),
            Integers(lines.customer_id, nullable=True),
            Integers(lines.product_id, nullable=True),
            Coded(self.store_code, lines.store_code),
            Coded(self.channel, lines.channel),
            Coded(self.quantity, lines.quantity),
            Coded(self.unit_price, lines.unit_price),
        )


def _sales(seed: int, count: int) -> Iterator[Chunk]:
    texts = _SaleTexts(seed)
    beginnings, endings = _line_parts()
    landed = 0
    for start, stop in _ranges(count):
        arrived = arrivals(seed, start, stop)
        lines, size = arrived.lines, len(arrived)
        landing_id = np.arange(landed + 1, landed + size + 1)
        landed += size
        columns = (
            Integers(landing_id),
            *texts.columns(lines),
            Integers(lines.receipt_number),
            Integers(lines.line_number, size=4),
            Integers(_ARRIVED_FROM + _MILLISECOND * landing_id),
        )
        bad = np.flatnonzero(arrived.problem)
        codes = arrived.problem[bad]
        offending = zip(codes.tolist(), lines.sale_id[bad].tolist(), strict=True)
        manifest = "".join([f"{beginnings[code]}{key}{endings[code]}" for code, key in offending])
        problems = np.bincount(codes, minlength=len(PROBLEMS) + 1)
        yield Chunk(pack(columns, size), size, manifest.encode(), tuple(problems.tolist()))


def _line_parts() -> tuple[list[str], list[str]]:
    """Split the manifest's line about each problem where the row's key goes; cheaper than JSON row by row."""
    mark = "key-of-the-row"
    lines = ["", *(Anomaly("staging.sale", mark, what.column, what.kind).to_line() for what in PROBLEMS)]
    parts = [line.partition(mark) for line in lines]
    return [before for before, _, _ in parts], [after for _, _, after in parts]


def _drift(seed: int) -> Iterator[Chunk]:
    lines = sales_lines(seed, Feed.DRIFT, 1, DRIFT_ROWS + 1)
    codes = Dictionary.of_texts([None, "WELCOME", "SUMMER"])
    columns = (
        Integers(lines.sale_id),
        *_SaleTexts(seed).columns(lines),
        Strings(lines.receipt_number.astype("S10")),
        Coded(codes, lines.sale_id % 3),
        Integers(_ARRIVED_FROM + _MILLISECOND * lines.sale_id),
    )
    yield Chunk(pack(columns, DRIFT_ROWS), DRIFT_ROWS)
