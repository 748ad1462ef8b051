"""Put the intentional problems into the stores' sales: which rows carry one, and what stands there then.

Whether a row carries a problem, and which, is drawn by its position, like the row. A row carries at most one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.seed.days import DAY_COUNT, feed_gaps
from windlass.warehouse.seed.draws import Feed, UInts, Variable, bounded, words
from windlass.warehouse.seed.sales import Ints, SalesLines, line_numbers, receipt_numbers, sales_lines
from windlass.warehouse.seed.values import vocabulary

__all__ = ["NO_ID", "PROBLEMS", "Arrivals", "Problem", "arrivals", "extra_copies", "missing_days"]

NO_ID = -1
"""Stands for NULL in a column of ids."""

_PROBABILITY_UNIT = 100_000
_ROW_RATE = 70
_RECEIPT_RATE = 160
_ORPHANS = range(900_000_000, 901_000_000)
_ID_COLUMNS = ("customer_id", "product_id")
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Problem:
    """What can be wrong with a row.

    Attributes:
        kind: The kind, as the manifest calls it.
        column: The offending column or columns.
        copies: How many more times the row arrives.
    """

    kind: AnomalyKind
    column: str
    copies: int = 0


_BY_ROW = (
    Problem(AnomalyKind.NULL, "customer_id"),
    Problem(AnomalyKind.NULL, "product_id"),
    Problem(AnomalyKind.NULL, "sold_on"),
    Problem(AnomalyKind.ORPHAN, "customer_id"),
    Problem(AnomalyKind.ORPHAN, "product_id"),
    Problem(AnomalyKind.OUT_OF_RANGE, "quantity"),
    Problem(AnomalyKind.OUT_OF_RANGE, "unit_price"),
    Problem(AnomalyKind.NOT_A_NUMBER, "quantity"),
    Problem(AnomalyKind.NOT_A_NUMBER, "unit_price"),
    Problem(AnomalyKind.UNKNOWN_VALUE, "channel"),
    Problem(AnomalyKind.UNKNOWN_VALUE, "store_code"),
    Problem(AnomalyKind.DUPLICATE_KEY, "sale_id", copies=1),
    Problem(AnomalyKind.DUPLICATE_KEY, "sale_id", copies=2),
)
_BY_RECEIPT = Problem(AnomalyKind.DUPLICATE_COMPOSITE_KEY, "store_code,receipt_number,line_number")

PROBLEMS = (*_BY_ROW, _BY_RECEIPT)
"""A row's problem is told as its position in here plus one; 0 is none.

Each befalls 0.07 % of the rows but for the last: 0.16 % of the receipts have all their lines called line 1.
"""

_COPIES = np.array([0, *(problem.copies for problem in PROBLEMS)])
_BY_RECEIPT_CODE = len(PROBLEMS)
_BY_COLUMN = {
    column: np.array([False, *(problem.column == column for problem in _BY_ROW), column == "line_number"])
    for column in (*_ID_COLUMNS, "sold_on", "store_code", "channel", "quantity", "unit_price", "line_number")
}
_NULL_DAY_CODE = _BY_ROW.index(Problem(AnomalyKind.NULL, "sold_on")) + 1


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Sales as they arrive, copies right behind their original; arrays of one length.

    Attributes:
        lines: The rows. `NO_ID` is NULL in columns of ids; a bad value is its position in the vocabulary.
        problem: What is wrong with each row, see `PROBLEMS`. Of copies of a key the first is good.
    """

    lines: SalesLines
    problem: Ints

    def __len__(self) -> int:
        return len(self.problem)


def arrivals(seed: int, start: int, stop: int) -> Arrivals:
    """Make what arrives of the stores' sales `start` to `stop - 1`."""
    problem, drawn = _problems(seed, start, stop)
    lines = sales_lines(seed, Feed.SHOP, start, stop)
    _break(seed, lines, problem, drawn)
    if not _COPIES[problem].any():
        return Arrivals(lines=lines, problem=problem)
    index = np.repeat(np.arange(stop - start), 1 + _COPIES[problem])
    is_copy = np.diff(index, prepend=-1) == 0
    copied = SalesLines(**{field.name: getattr(lines, field.name)[index] for field in fields(SalesLines)})
    is_original = (_COPIES[problem] > 0)[index] & ~is_copy
    return Arrivals(lines=copied, problem=np.where(is_original, 0, problem[index]))


def extra_copies(seed: int, stop: int) -> int:
    """Count the copies that arrive of the sales 1 to `stop - 1`: so much later does sale `stop` arrive."""
    return sum(
        int(_COPIES[_problems(seed, first, min(first + _CHUNK, stop))[0]].sum())
        for first in range(1, stop, _CHUNK)
    )


def missing_days(seed: int, sales: int) -> tuple[int, ...]:
    """Tell the days, as offsets, on which none of the sales 1 to `sales` falls.

    These are the intended ones; very small scales (below 0.04) have too few sales to fill all the others.
    """
    seen: NDArray[np.bool_] = np.zeros(DAY_COUNT + 1, dtype=np.bool_)
    expected = DAY_COUNT - len(feed_gaps(seed).missing_days)
    for first in range(1, sales + 1, _CHUNK):
        stop = min(first + _CHUNK, sales + 1)
        on_a_day = _problems(seed, first, stop)[0] != _NULL_DAY_CODE
        seen[sales_lines(seed, Feed.SHOP, first, stop).sold_on[on_a_day]] = True
        if int(seen.sum()) == expected:
            break
    return tuple(np.flatnonzero(~seen[:DAY_COUNT]).tolist())


def _problems(seed: int, start: int, stop: int) -> tuple[Ints, UInts]:
    """Draw what is wrong with the sales `start` to `stop - 1`, see `PROBLEMS`; give the words drawn, too."""
    drawn = words(seed, Feed.SHOP, Variable.PROBLEM, first=start - 1, count=stop - start)
    position = bounded(drawn, _PROBABILITY_UNIT, shift=0)
    problem = np.where(position < _ROW_RATE * len(_BY_ROW), position // _ROW_RATE + 1, 0)

    receipt = receipt_numbers(start, stop)
    first = int(receipt[0])
    of_receipt = words(
        seed, Feed.SHOP, Variable.RECEIPT_PROBLEM, first=first - 1, count=int(receipt[-1]) - first + 1
    )
    renumbered = (bounded(of_receipt, _PROBABILITY_UNIT, shift=0) < _RECEIPT_RATE)[receipt - first]
    if not renumbered.any():
        return problem, drawn
    # The first line of such a receipt must pass: it is the one that the others are copies of.
    first_lines_good = np.where(line_numbers(start, stop) > 1, _BY_RECEIPT_CODE, 0)
    return np.where(renumbered, first_lines_good, problem), drawn


@lru_cache(maxsize=8)
def _bad_values(seed: int) -> tuple[Ints, Ints]:
    """Tell, by problem, the first of the values that stand for it and how many there are."""
    ranges = [range(1), *(_bad_range(seed, what) for what in PROBLEMS)]
    return np.array([values.start for values in ranges]), np.array([len(values) for values in ranges])


def _bad_range(seed: int, what: Problem) -> range:
    if what.copies:
        return range(1)
    if what is _BY_RECEIPT:
        return range(1, 2)
    if what.column not in _ID_COLUMNS:
        return vocabulary(seed, what.column).positions(what.kind)
    return _ORPHANS if what.kind is AnomalyKind.ORPHAN else range(NO_ID, NO_ID + 1)


def _break(seed: int, lines: SalesLines, problem: Ints, drawn: UInts) -> None:
    """Write bad values over the good ones of lines that have just been made."""
    rows = np.flatnonzero(problem)
    codes = problem[rows]
    first, count = _bad_values(seed)
    bad = first[codes] + bounded(drawn[rows], count[codes], shift=32)
    for column, is_concerned in _BY_COLUMN.items():
        chosen = is_concerned[codes]
        getattr(lines, column)[rows[chosen]] = bad[chosen]
