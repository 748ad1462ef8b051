"""What every format gives to the loader: its columns, batches for COPY, and what is wrong with a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from psycopg import sql

from windlass.warehouse.errors import FileProblem
from windlass.warehouse.load.diagnosis import Diagnosis
from windlass.warehouse.load.table import Column

__all__ = ["BadRecord", "Batch", "Digest", "HeaderName", "Layout", "Reader", "Record", "UnreadableError"]

HeaderName: TypeAlias = tuple[str, int, int]
"""A column's name in the file with its line and column there."""

Layout: TypeAlias = tuple[Column | None, ...]
"""The table's columns in the order of the file; None for a column that is left out."""

Digest: TypeAlias = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a file.

    Attributes:
        line: Line it begins on, from 1; of a Parquet file the row.
        payload: It as COPY takes it, line end included.
        text: It as it stands in the file.
        copy_lines: How many lines COPY counts for it.
    """

    line: int
    payload: bytes
    text: bytes
    copy_lines: int = 1


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be loaded, and why."""

    line: int
    text: bytes
    problems: tuple[FileProblem, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole records for COPY.

    Attributes:
        line: Line of the file the first of them begins on.
        payload: All of them as COPY takes them.
        records: Tells them apart; only asked for when COPY refuses one.
        bad: Records between them that are not for COPY at all.
    """

    line: int
    payload: bytes
    records: Callable[[], Sequence[Record]] = field(repr=False)
    bad: tuple[BadRecord, ...] = ()


class UnreadableError(Exception):
    """The rest of a file makes no records any more; tells from which line on, and why."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(line, column, message)
        self.line, self.column, self.message = line, column, message


class Reader(Protocol):
    """A file of one format."""

    def header(self, diagnosis: Diagnosis) -> list[HeaderName]:
        """The names of its columns; a problem when there are none."""

    def options(self) -> sql.Composable:
        """The options of COPY for its batches."""

    def guard(self) -> bytes:
        """A line that has to come before the first batch of a COPY, or nothing."""

    def line_end(self) -> bytes:
        """What ends a line for COPY: by its first byte it counts them."""

    def batches(self, layout: Layout, digest: Digest) -> Iterator[Batch]:
        """Its records.

        Raises:
            UnreadableError: From some line on there are none.
        """

    def diagnose_text(self, diagnosis: Diagnosis) -> None:
        """Find what is no text in the encoding it should have."""

    def examine(self, record: Record, layout: Layout, diagnosis: Diagnosis) -> None:
        """Find what is wrong with one record."""

    def diagnose(self, layout: Layout, diagnosis: Diagnosis, *, start: int) -> None:
        """Find what is wrong with the records from a line on; how much is examined is bounded."""
