"""Make clean sales of any feed, line by line of their receipts; problems are added elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from windlass.warehouse.seed.catalog import DISCOUNTS, ITEM_COUNT
from windlass.warehouse.seed.days import STORE_COUNT, day_deck, feed_gaps
from windlass.warehouse.seed.draws import Feed, Variable, bounded, words

__all__ = ["Ints", "SalesLines", "Volume", "line_numbers", "receipt_numbers", "sales_lines"]

Ints = NDArray[np.int64]

# Eight lines in a row are four receipts of 1, 2, 3 and 2 lines, so that the receipt of a line follows from
# its number alone.
_LINES_PER_BLOCK, _RECEIPTS_PER_BLOCK = 8, 4
_RECEIPT_OF_LINE = np.array([0, 1, 1, 2, 2, 2, 3, 3])
_LINE_OF_RECEIPT = np.array([1, 1, 2, 1, 2, 3, 1, 2])

_SALES_PER_CUSTOMER, _SALES_PER_PRODUCT, _SALES_PER_ORDER = 100, 200, 10
_CHANNEL_TABLE = np.array([0] * 13 + [1] * 3)
_QUANTITY_TABLE = np.array([0] * 12 + [1] * 8 + [2] * 4 + [3] * 2 + [4, 5, 6, 7, 9, 11])


@dataclass(frozen=True, slots=True)
class Volume:
    """How many rows a scale has."""

    sales: int
    customers: int
    products: int
    orders: int

    @classmethod
    def of(cls, scale: float) -> Volume:
        """Tell the numbers for a scale; scale 1 has 100,000 sales."""
        sales = max(1, round(100_000 * scale))
        return cls(
            sales=sales,
            customers=-(-sales // _SALES_PER_CUSTOMER),
            products=-(-sales // _SALES_PER_PRODUCT),
            orders=-(-sales // _SALES_PER_ORDER),
        )


@dataclass(frozen=True, slots=True)
class SalesLines:
    """A range of sales; arrays of one length.

    Attributes:
        sale_id: Number of the sale in its feed, from 1.
        receipt_number: Number of the receipt, from 1; unique in the feed.
        line_number: Line on the receipt, from 1.
        sold_on: Offset of the day.
        customer_id: Customer; exists at every scale that has the sale.
        product_id: Product; exists at every scale that has the sale.
        store_code: Index of the store, 0 for S01.
        channel: 0 in the store, 1 by phone.
        quantity: Pieces, less one.
        unit_price: `item * len(DISCOUNTS) + discount`: which list price, and which share of it.
    """

    sale_id: Ints
    receipt_number: Ints
    line_number: Ints
    sold_on: Ints
    customer_id: Ints
    product_id: Ints
    store_code: Ints
    channel: Ints
    quantity: Ints
    unit_price: Ints


def line_numbers(start: int, stop: int) -> Ints:
    """Tell on which line of its receipt each sale from `start` to `stop - 1` stands."""
    numbers: Ints = _LINE_OF_RECEIPT[np.arange(start - 1, stop - 1) % _LINES_PER_BLOCK]
    return numbers


def receipt_numbers(start: int, stop: int) -> Ints:
    """Tell on which receipt each sale from `start` to `stop - 1` stands."""
    blocks, line = np.divmod(np.arange(start - 1, stop - 1), _LINES_PER_BLOCK)
    numbers: Ints = blocks * _RECEIPTS_PER_BLOCK + _RECEIPT_OF_LINE[line] + 1
    return numbers


def sales_lines(seed: int, feed: Feed, start: int, stop: int) -> SalesLines:
    """Make the sales `start` to `stop - 1` of a feed; they begin at 1.

    Customers and products are drawn from those that the smallest scale with this sale has: what sale 1 refers
    to exists at every scale.
    """
    receipt_number = receipt_numbers(start, stop)
    receipt = np.arange(receipt_number[0] - 1, receipt_number[-1])
    of_receipt = words(seed, feed, Variable.RECEIPT, first=int(receipt[0]), count=len(receipt))
    spread = receipt_number - receipt_number[0]
    deck = day_deck(seed)
    day = deck[receipt % len(deck)]
    block_start = receipt // _RECEIPTS_PER_BLOCK * _LINES_PER_BLOCK
    known_customers = _shop_sale(feed, block_start) // _SALES_PER_CUSTOMER + 1

    sale_id = np.arange(start, stop, dtype=np.int64)
    known_products = _shop_sale(feed, sale_id - 1) // _SALES_PER_PRODUCT + 1
    of_line = words(seed, feed, Variable.LINE, first=start - 1, count=stop - start)
    product_id = 1 + bounded(of_line, known_products, shift=0)
    discount = bounded(of_line, len(DISCOUNTS), shift=32, width=16)
    return SalesLines(
        sale_id=sale_id,
        receipt_number=receipt_number,
        line_number=line_numbers(start, stop),
        sold_on=day[spread],
        customer_id=(1 + bounded(of_receipt, known_customers, shift=0))[spread],
        product_id=product_id,
        store_code=_stores(seed, bounded(of_receipt, STORE_COUNT, shift=32, width=16), day)[spread],
        channel=_CHANNEL_TABLE[bounded(of_receipt, len(_CHANNEL_TABLE), shift=48, width=16)][spread],
        quantity=_QUANTITY_TABLE[bounded(of_line, len(_QUANTITY_TABLE), shift=48, width=16)],
        unit_price=(product_id - 1) % ITEM_COUNT * len(DISCOUNTS) + discount,
    )


def _shop_sale(feed: Feed, before: Ints) -> Ints:
    """Tell how many sales the stores have at least when this feed has one more than `before`."""
    return before * _SALES_PER_ORDER if feed is Feed.WEB else before


def _stores(seed: int, store: Ints, day: Ints) -> Ints:
    """Give what the stale store would have sold after its last day to the next store."""
    gaps = feed_gaps(seed)
    late = (store == gaps.stale_store) & (day > gaps.stale_after)
    return np.where(late, (store + 1) % STORE_COUNT, store)
