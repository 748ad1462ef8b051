"""One CSV record taken apart: its values with their places, as COPY reads them, and what is wrong there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from windlass.warehouse.errors import FileProblem
from windlass.warehouse.load.diagnosis import Diagnosis, Value
from windlass.warehouse.load.options import Dialect
from windlass.warehouse.load.reader import Layout

__all__ = ["CsvRecord", "Splitter", "csv_records", "diagnose_record"]

_MAX_RECORD = 1024 * 1024
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class _Field:
    text: str | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """A record with the place of every value.

    Attributes:
        line: Line it begins on.
        fields: Its values.
        end: Line and column after it.
        is_last: Whether no line end follows.
        open_quote: Where a quote is that never ends.
    """

    line: int
    fields: tuple[_Field, ...]
    end: tuple[int, int]
    is_last: bool
    open_quote: tuple[int, int] | None

    def ragged(self, layout: Layout) -> FileProblem | None:
        """The problem of too few or too many values, if it has."""
        count, wanted = len(self.fields), len(layout)
        if count < wanted:
            cut = " The file may be truncated." if self.is_last else ""
            column = layout[count]
            told = "the next" if column is None else column.name
            return FileProblem(*self.end, f"{count} values for {wanted} columns: {told} is missing.{cut}")
        if count > wanted:
            extra = self.fields[wanted]
            return FileProblem(extra.line, extra.column, f"{count} values for {wanted} columns.")
        return None


class Splitter:
    """Takes records of a dialect apart."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
        field = rf"(?:[^{quote}{delimiter}\r\n]+|{quote}(?:[^{quote}]+|{quote}{quote})*+{quote})*"
        self._field = re.compile(field)
        self._raw_field = re.compile(
            rf"(?:[^{quote}{delimiter}]+|{quote}[^{quote}]*+{quote})*+".encode(), re.DOTALL
        )
        self._first = re.compile(rf"(?:[^{quote}\r\n]+|{quote}[^{quote}]*+{quote})*+".encode())
        self._part = re.compile(rf"[^{quote}]+|{quote}((?:[^{quote}]+|{quote}{quote})*+){quote}")

    def end_of_first(self, data: bytes) -> int | None:
        """Where the first record ends; None when it does not."""
        match = self._first.match(data)
        assert match is not None
        end = match.end()
        return end if data[end : end + 1] in (b"\r", b"\n") else None

    def raw_fields(self, payload: bytes) -> list[bytes]:
        """A record's values as they stand there, quotes and all."""
        body = payload.removesuffix(b"\n").removesuffix(b"\r")
        delimiter = self._dialect.delimiter.encode()
        if self._dialect.quote.encode() not in body:
            return body.split(delimiter)
        found: list[bytes] = []
        offset = 0
        while True:
            match = self._raw_field.match(body, offset)
            assert match is not None
            found.append(match.group())
            offset = match.end() + 1
            if offset > len(body):
                return found

    def split(self, text: str, line: int, *, is_last: bool) -> CsvRecord:
        """Take a record apart that begins at a line."""
        body = text.removesuffix("\n").removesuffix("\r")
        fields: list[_Field] = []
        offset, start_line, line_start = 0, line, 0
        while True:
            match = self._field.match(body, offset)
            assert match is not None
            raw = match.group()
            fields.append(_Field(self._value(raw), line, offset - line_start + 1))
            for end in _LINE_END.finditer(raw):
                line, line_start = line + 1, offset + end.end()
            offset = match.end()
            if offset >= len(body) or body[offset] != self._dialect.delimiter:
                break
            offset += 1
        place = (line, offset - line_start + 1)
        open_quote = place if offset < len(body) and body[offset] == self._dialect.quote else None
        return CsvRecord(start_line, tuple(fields), place, is_last, open_quote)

    def _value(self, raw: str) -> str | None:
        """A value as COPY reads it: without quotes the dialect's null is null."""
        quote = self._dialect.quote
        if quote not in raw:
            return None if raw == self._dialect.null else raw
        return "".join(
            match[0] if match[1] is None else match[1].replace(quote * 2, quote)
            for match in self._part.finditer(raw)
        )

    @property
    def quote(self) -> str:
        """The dialect's quote."""
        return self._dialect.quote


def diagnose_record(record: CsvRecord, layout: Layout, diagnosis: Diagnosis) -> None:
    """Find what is wrong with a record."""
    if record.open_quote:
        diagnosis.add(
            *record.open_quote, "This quote never ends: the file is truncated, or a quote is missing."
        )
        return
    if len(record.fields) == 1 and record.fields[0].text == "\\.":
        diagnosis.add(record.line, 1, "A line with \\. alone ends the data for PostgreSQL; quote it.")
        return
    problem = record.ragged(layout)
    if problem:
        diagnosis.add(problem.line, problem.column, problem.message)
    for item, column in zip(record.fields, layout, strict=False):
        if column is not None:
            diagnosis.check(Value(item.line, item.column, column, item.text))


def csv_records(lines: Iterable[str], splitter: Splitter, *, start: int = 1) -> Iterator[CsvRecord]:
    """The records that end at a line or after it, with the place of every value.

    A longer record than anybody writes is passed over, unless it never ends. Bytes that are not UTF-8 are
    told elsewhere.

    Args:
        lines: The lines of the file.
        splitter: Takes them apart.
        start: The line.
    """
    first, size, is_open = 1, 0, False
    parts: list[str] = []
    for number, text in enumerate(lines, 1):
        size += len(text)
        if size <= _MAX_RECORD:
            parts.append(text)
        is_open ^= text.count(splitter.quote) % 2 == 1
        if is_open:
            continue
        if number >= start and size <= _MAX_RECORD:
            # Whether a record is the last is known only at the file's end; a line end after it
            # tells it is whole.
            yield splitter.split("".join(parts), first, is_last=not text.endswith(("\n", "\r")))
        first, size = number + 1, 0
        parts.clear()
    if is_open and size > _MAX_RECORD:
        yield CsvRecord(first, (), (first, 1), is_last=True, open_quote=(first, 1))
    elif is_open:
        yield splitter.split("".join(parts), first, is_last=True)
