"""Draw randomness by position: any row can be made alone, and a large scale begins with the smaller one.

A draw is a function of seed, feed, variable and position and of nothing else: Philox4x64-10, the
counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011), with seed,
feed and variable as key and the position as counter. NumPy guarantees the raw stream of a bit generator, not
the streams of its distributions (NEP 19), so numbers in a range are made here, from raw words, in integers.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["SEED_LIMIT", "Feed", "UInts", "Variable", "bounded", "permutation", "words"]

SEED_LIMIT = 2**63
"""Seeds are at least 0 and lower than this, so that they fit a bigint."""

_WORDS_PER_COUNTER = 4

UInts = NDArray[np.uint64]


class Feed(IntEnum):
    """Whose rows are drawn. The numbers are part of every row ever made: append, never change."""

    SHARED = 0
    CUSTOMER = 1
    PRODUCT = 2
    SHOP = 3
    WEB = 4
    DRIFT = 5


class Variable(IntEnum):
    """What is drawn for a position. The numbers are part of every row ever made: append, never change."""

    ENTITY = 0
    NAME = 1
    RECEIPT = 2
    LINE = 3
    PROBLEM = 4
    RECEIPT_PROBLEM = 5
    DECK_ONCE = 6
    DECK_REST = 7
    MISSING_DAYS = 8
    STALE_STORE = 9


def words(seed: int, feed: Feed, variable: Variable, *, first: int, count: int) -> UInts:
    """Draw the 64-bit words of the positions `first` to `first + count - 1`."""
    block, skipped = divmod(first, _WORDS_PER_COUNTER)
    key = (feed << 96) | (variable << 64) | seed
    raw: UInts = np.random.Philox(key=key, counter=block).random_raw(skipped + count)
    return raw[skipped:]


def bounded(
    drawn: UInts, limit: int | NDArray[np.int64], *, shift: int, width: int = 32
) -> NDArray[np.int64]:
    """Turn `width` bits of each word, from bit `shift` on, into a number from 0 to `limit - 1`.

    Multiply and shift (Lemire 2019, without the rejection step): the bias is below `limit / 2**width`.
    """
    part = (drawn >> np.uint64(shift)) & np.uint64((1 << width) - 1)
    factor = np.uint64(limit) if isinstance(limit, int) else limit.view(np.uint64)
    return ((part * factor) >> np.uint64(width)).view(np.int64)


def permutation(seed: int, feed: Feed, variable: Variable, count: int) -> NDArray[np.int64]:
    """Shuffle the numbers from 0 to `count - 1`."""
    return np.argsort(words(seed, feed, variable, first=0, count=count), kind="stable").astype(np.int64)
