"""Pack columns into PostgreSQL's binary COPY format without a Python loop over rows.

The format (PostgreSQL manual, COPY, "Binary Format"): a signature, then for every row the number of its
fields and, for every field, its length in bytes (-1 for NULL) and its bytes, all numbers in network byte
order; -1 ends it. Rows are laid out at their greatest width, beside a mask of the bytes that count; NumPy
then drops the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIGNATURE", "TRAILER", "Coded", "Column", "Dictionary", "Integers", "Strings", "numeric", "pack"]

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

_LENGTH = 4
_NULL = (-1).to_bytes(_LENGTH, "big", signed=True)

Records = NDArray[np.void]


class Column(Protocol):
    """A column's values for some rows."""

    @property
    def layout(self) -> np.dtype[Any]:
        """The widest field, its length included."""

    @property
    def varies(self) -> bool:
        """Whether a field can be narrower than the widest."""

    def write(self, field: Records, mask: Records) -> None:
        """Fill in the fields, and clear in the mask what lies beyond a field's end."""


@dataclass(frozen=True, slots=True)
class Integers:
    """Numbers, or what is stored as a number: days since 2000, microseconds since 2000.

    Attributes:
        values: The numbers.
        size: Bytes a number takes: 8 for bigint and timestamptz, 4 for integer and date.
        nullable: Whether a negative number stands for NULL.
    """

    values: NDArray[np.int64]
    size: int = 8
    nullable: bool = False

    @property
    def layout(self) -> np.dtype[Any]:
        """The length and the number."""
        return np.dtype([("length", ">i4"), ("value", f">i{self.size}")])

    @property
    def varies(self) -> bool:
        """Whether there is a NULL."""
        return self.nullable and bool((self.values < 0).any())

    def write(self, field: Records, mask: Records) -> None:
        """Fill in the fields."""
        field["length"] = self.size
        field["value"] = self.values
        if self.varies:
            null = self.values < 0
            field["length"][null] = -1
            mask["value"][null] = 0


class Dictionary:
    """The values of a column that has few, packed once."""

    def __init__(self, values: Iterable[bytes | None]) -> None:
        packed = [_NULL if value is None else len(value).to_bytes(_LENGTH, "big") + value for value in values]
        width = max(map(len, packed))
        self.fields = np.array(packed, dtype=f"V{width}")
        self.masks = np.array([b"\1" * len(field) for field in packed], dtype=f"V{width}")
        self.narrow = np.array([len(field) < width for field in packed])

    @classmethod
    def of_texts(cls, texts: Sequence[str | None]) -> Dictionary:
        """Make the dictionary of a text column."""
        return cls(None if text is None else text.encode() for text in texts)


@dataclass(frozen=True, slots=True)
class Coded:
    """Values told as their positions in a dictionary."""

    dictionary: Dictionary
    codes: NDArray[np.int64]

    @property
    def layout(self) -> np.dtype[Any]:
        """The widest entry."""
        return self.dictionary.fields.dtype

    @property
    def varies(self) -> bool:
        """Whether entries differ in width."""
        return True

    def write(self, field: Records, mask: Records) -> None:
        """Fill in the fields."""
        field[:] = self.dictionary.fields[self.codes]
        narrow = np.flatnonzero(self.dictionary.narrow[self.codes])
        mask[narrow] = self.dictionary.masks[self.codes[narrow]]


@dataclass(frozen=True, slots=True)
class Strings:
    """Texts that are all different; ASCII."""

    values: NDArray[np.bytes_]

    @property
    def layout(self) -> np.dtype[Any]:
        """The length and the widest text."""
        return np.dtype([("length", ">i4"), ("value", f"S{max(1, self.values.dtype.itemsize)}")])

    @property
    def varies(self) -> bool:
        """Whether texts differ in width."""
        return True

    def write(self, field: Records, mask: Records) -> None:
        """Fill in the fields."""
        lengths = np.strings.str_len(self.values)
        field["length"] = lengths
        field["value"] = self.values
        width = self.values.dtype.itemsize
        counted = np.arange(width) < lengths[:, np.newaxis]
        mask["value"] = counted.view(f"S{width}").ravel()


def numeric(cents: int) -> bytes:
    """Pack an amount of at least 0, given in cents, as `numeric` with two decimal places."""
    digits, weight = [cents % 100 * 100], -1
    whole = cents // 100
    while whole:
        whole, digit = divmod(whole, 10_000)
        digits.append(digit)
        weight += 1
    digits.reverse()
    while digits and not digits[-1]:
        digits.pop()
    if not digits:
        weight = 0
    positive, scale = 0, 2
    return np.array([len(digits), weight, positive, scale, *digits], dtype=">i2").tobytes()


def pack(columns: Sequence[Column], count: int) -> NDArray[np.uint8]:
    """Pack `count` rows of the columns.

    Returns:
        The bytes to send between `SIGNATURE` and `TRAILER`.
    """
    names = [f"field{number}" for number in range(len(columns))]
    layout = np.dtype([("count", ">i2"), *zip(names, (column.layout for column in columns), strict=True)])
    rows = np.empty(count, dtype=layout)
    mask = np.ones(count * layout.itemsize, dtype=np.uint8)
    rows["count"] = len(columns)
    records = mask.view(layout)
    for name, column in zip(names, columns, strict=True):
        column.write(rows[name], records[name])
    flat = rows.view(np.uint8)
    return flat[mask.view(np.bool_)] if any(column.varies for column in columns) else flat
