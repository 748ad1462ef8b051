"""CSV files: their header, whole records in batches for COPY, and where a record is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import overload

from psycopg import sql

from windlass.warehouse.errors import FileProblem
from windlass.warehouse.load.csv_record import CsvRecord, Splitter, csv_records, diagnose_record
from windlass.warehouse.load.diagnosis import MAX_VALUES, Diagnosis
from windlass.warehouse.load.encoding import diagnose_encoding, diagnose_line
from windlass.warehouse.load.options import Dialect
from windlass.warehouse.load.reader import (
    BadRecord,
    Batch,
    Digest,
    HeaderName,
    Layout,
    Record,
    UnreadableError,
)
from windlass.warehouse.load.source import MAX_RECORD, TextSource

__all__ = ["CsvReader", "copy_options", "split_records"]

# PostgreSQL before 18 takes such a line for the end, and drops what follows without a word.
_END_OF_DATA = re.compile(rb"(?:^|[\r\n])\\\.(?:[\r\n]|$)")
_NOT_FOR_COPY = "A line with \\. alone ends the data for PostgreSQL; quote it."


def copy_options(dialect: Dialect) -> sql.Composed:
    """The options of COPY for a dialect; a line before the records is taken for a header."""
    return sql.SQL("format csv, header true, encoding 'UTF8', delimiter {}, quote {}, null {}").format(
        sql.Literal(dialect.delimiter), sql.Literal(dialect.quote), sql.Literal(dialect.null)
    )


@dataclass(frozen=True)
class CsvReader:
    """A CSV file with a header."""

    source: TextSource
    dialect: Dialect

    @cached_property
    def _splitter(self) -> Splitter:
        return Splitter(self.dialect)

    @cached_property
    def _head(self) -> tuple[bytes, bytes]:
        """The first record with its line end, and that line end; nothing for an empty file."""
        start = b""
        for block in self.source.blocks():
            start += block
            end = self._splitter.end_of_first(start)
            if end is not None and start[end:] != b"\r":
                line_end = b"\r\n" if start[end : end + 2] == b"\r\n" else start[end : end + 1]
                return start[: end + len(line_end)], line_end
            if len(start) > MAX_RECORD:
                break
        return start, b"\n"

    def header(self, diagnosis: Diagnosis) -> list[HeaderName]:
        """The names of the first record, each with its line and column; a problem when there are none."""
        head, _ = self._head
        if not head:
            diagnosis.add(1, 1, "The file is empty.")
            return []
        record = self._splitter.split(head.decode("utf-8", "replace"), 1, is_last=False)
        if record.open_quote:
            diagnosis.add(1, 1, "The first line cannot be read: a quote in it never ends.")
            return []
        return [(item.text or "", item.line, item.column) for item in record.fields]

    def options(self) -> sql.Composable:
        """CSV with a header."""
        return copy_options(self.dialect)

    def guard(self) -> bytes:
        """A header of our own: by its end COPY knows the file's line ends before the first record."""
        return b"header" + self._head[1]

    def line_end(self) -> bytes:
        """That of the header."""
        return self._head[1]

    def batches(self, layout: Layout, digest: Digest) -> Iterator[Batch]:
        """Its records after the header, as they stand there unless some column is left out."""
        head, line_end = self._head
        line, to_skip = 1 + _lines(head), len(head)
        for payload in self._whole_records(digest, line_end[-1:]):
            data = payload
            if to_skip:
                data, to_skip = payload[to_skip:], 0
            if data:
                yield self._batch(data, line, layout)
                line += _lines(data)

    def _whole_records(self, digest: Digest, end: bytes) -> Iterator[bytes]:
        """The file cut where records end: at a line end with an even number of quotes before it."""
        quote = self.dialect.quote.encode()
        parts: list[bytes] = []
        size, done, is_open = 0, 0, False
        for block in self.source.blocks(digest):
            is_open ^= block.count(quote) % 2 == 1
            cut = _last_record_end(block, end, quote, is_open=is_open)
            parts.append(block[:cut])
            if not cut:
                parts[-1] = block
                size += len(block)
                if size > MAX_RECORD:
                    line = self._line_at(done)
                    raise UnreadableError(line, 1, f"The record is longer than {MAX_RECORD >> 20} MB.")
                continue
            whole = b"".join(parts)
            yield whole
            done += len(whole)
            parts, size = [block[cut:]], len(block) - cut
        if is_open:
            raise self._never_ending(self._line_at(done))
        if last := b"".join(parts):
            yield last

    def _line_at(self, offset: int) -> int:
        """The line of a place in the text: counted when it is needed, for that is a tenth of reading."""
        line = 1
        for block in self.source.blocks():
            line += _lines(block[:offset])
            offset -= len(block)
            if offset <= 0:
                break
        return line

    def _never_ending(self, line: int) -> UnreadableError:
        place = line, 1
        for record in csv_records(self.source.text(), self._splitter, start=line):
            place = record.open_quote or place
        return UnreadableError(*place, "This quote never ends: the file is truncated, or a quote is missing.")

    def _batch(self, data: bytes, line: int, layout: Layout) -> Batch:
        is_plain = None not in layout
        # One byte is found several times as fast as two.
        if is_plain and not (b"\\" in data and b"\\." in data and _END_OF_DATA.search(data)):
            return Batch(line, data, lambda: self._records(data, line))
        good: list[Record] = []
        bad: list[BadRecord] = []
        for record in self._records(data, line):
            if _END_OF_DATA.search(record.payload):
                place = record.payload.count(b"\n", 0, record.payload.find(b"\\."))
                problem = FileProblem(record.line + place, 1, _NOT_FOR_COPY)
                bad.append(BadRecord(record.line, record.text, (problem,)))
            elif is_plain:
                good.append(record)
            else:
                self._project(record, layout, good, bad)
        return Batch(line, b"".join(record.payload for record in good), lambda: good, tuple(bad))

    def _project(self, record: Record, layout: Layout, good: list[Record], bad: list[BadRecord]) -> None:
        """Leave values out of a record; here it shows whether it has too few or too many."""
        fields = self._splitter.raw_fields(record.payload)
        if len(fields) != len(layout):
            text = record.payload.decode("utf-8", "replace")
            split = self._splitter.split(text, record.line, is_last=False)
            problem = split.ragged(layout)
            assert problem is not None
            bad.append(BadRecord(record.line, record.text, (problem,)))
            return
        kept = (value for value, column in zip(fields, layout, strict=True) if column is not None)
        payload = self.dialect.delimiter.encode().join(kept) + self._head[1]
        # A record of one empty value would be an empty line, which is the same.
        good.append(Record(record.line, payload, record.text, _copy_lines(payload, self._head[1])))

    def _records(self, data: bytes, line: int) -> Sequence[Record]:
        return split_records(data, line, quote=self.dialect.quote.encode(), line_end=self._head[1])

    def diagnose_text(self, diagnosis: Diagnosis) -> None:
        """Find what is no text in the encoding it should have."""
        diagnose_encoding(self.source, diagnosis)

    def examine(self, record: Record, layout: Layout, diagnosis: Diagnosis) -> None:
        """Find what is wrong with one record."""
        diagnose_line(self.source, record.line, record.text, diagnosis)
        text = record.text.decode("utf-8", "replace")
        split = self._splitter.split(text, record.line, is_last=not text.endswith(("\n", "\r")))
        diagnose_record(split, layout, diagnosis)

    def diagnose(self, layout: Layout, diagnosis: Diagnosis, *, start: int) -> None:
        """Find what is wrong with the records from a line on; how much is examined is bounded."""
        self.diagnose_text(diagnosis)
        first = max(start, 1 + _lines(self._head[0]))
        records: Iterator[CsvRecord] = csv_records(self.source.text(), self._splitter, start=first)
        for record in islice(records, 1 + MAX_VALUES // len(layout)):
            diagnose_record(record, layout, diagnosis)
            if diagnosis.is_full:
                return


def _last_record_end(block: bytes, end: bytes, quote: bytes, *, is_open: bool) -> int:
    """Where the last record ends in a block; 0 when none does.

    Args:
        block: Part of the file.
        end: What ends a line.
        quote: The dialect's quote.
        is_open: Whether a quote is open after the block.
    """
    place = len(block)
    while place > 0:
        before = block.rfind(end, 0, place)
        if before < 0:
            return 0
        is_open ^= block.count(quote, before, place) % 2 == 1
        place = before
        if not is_open:
            return place + 1
    return 0


def _lines(data: bytes) -> int:
    """How many lines end in some bytes, whatever ends them."""
    returns = data.count(b"\r")
    return data.count(b"\n") + (returns - data.count(b"\r\n") if returns else 0)


def _copy_lines(payload: bytes, line_end: bytes) -> int:
    """How many lines COPY counts for a record: inside quotes it looks at the line end's first byte only."""
    return max(1, payload.count(line_end[:1]) + (not payload.endswith(line_end)))


class _Lines(Sequence[Record]):
    """Records of one line each, made when they are asked for: of thousands only the bad ones are."""

    def __init__(self, lines: list[bytes], first: int) -> None:
        self._lines, self._first = lines, first

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> _Lines: ...

    def __getitem__(self, index: int | slice) -> Record | _Lines:
        if isinstance(index, slice):
            start, _, _ = index.indices(len(self._lines))
            return _Lines(self._lines[index], self._first + start)
        text = self._lines[index]
        return Record(self._first + range(len(self._lines))[index], text, text)


def split_records(data: bytes, line: int, *, quote: bytes, line_end: bytes) -> Sequence[Record]:
    """The records of a batch.

    Args:
        data: Whole records.
        line: Line of the file that the first begins on.
        quote: The dialect's quote.
        line_end: What ends a line.
    """
    if quote not in data:
        return _Lines(data.splitlines(keepends=True), line)
    found: list[Record] = []
    parts: list[bytes] = []
    is_open, first = False, line
    for text in data.splitlines(keepends=True):
        parts.append(text)
        line += 1
        is_open ^= text.count(quote) % 2 == 1
        if is_open:
            continue
        if len(parts) == 1:
            found.append(Record(first, text, text))
        else:
            payload = b"".join(parts)
            found.append(Record(first, payload, payload, _copy_lines(payload, line_end)))
        parts, first = [], line
    return found
