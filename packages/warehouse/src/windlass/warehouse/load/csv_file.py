"""CSV files: their header for COPY, and all that is wrong with one that COPY refuses, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from windlass.warehouse.load.diagnosis import MAX_VALUES, Diagnosis, Value
from windlass.warehouse.load.table import Column

__all__ = ["diagnose_csv", "header_places"]

_MAX_RECORD = 1024 * 1024
_FIELD = re.compile(r'(?:[^",\r\n]+|"(?:[^"]|"")*")*')
_LINE_END = re.compile(r"\r\n|\r|\n")


def header_places(path: Path) -> list[tuple[str, int, int]]:
    """The names of a file's first record, each with its line and column; nothing for an empty file."""
    record = next(_records(path), None)
    if record is None or record.open_quote:
        return []
    # A byte-order mark is told as what it is, not as an unknown column.
    return [((item.text or "").removeprefix("\ufeff"), item.line, item.column) for item in record.fields]


@dataclass(frozen=True, slots=True)
class _Field:
    text: str | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    fields: tuple[_Field, ...]
    end: tuple[int, int]
    is_last: bool
    open_quote: tuple[int, int] | None


def diagnose_csv(path: Path, columns: tuple[Column, ...], diagnosis: Diagnosis, *, start: int) -> None:
    """Find what is wrong with the records of a file whose header is right.

    Args:
        path: The file.
        columns: The table's columns in the header's order.
        diagnosis: Takes the problems.
        start: The first line that can have a problem. How much is examined from there is bounded.
    """
    records = _records(path, start=max(start, _header_end(path) + 1))
    for record in islice(records, 1 + MAX_VALUES // len(columns)):
        _diagnose(record, columns, diagnosis)
        if diagnosis.is_full:
            return


def _header_end(path: Path) -> int:
    """The last line of the header."""
    header = next(_records(path), None)
    return header.end[0] if header else 1


def _diagnose(record: _Record, columns: tuple[Column, ...], diagnosis: Diagnosis) -> None:
    count = len(record.fields)
    if record.open_quote:
        diagnosis.add(
            *record.open_quote, "This quote never ends: the file is truncated, or a quote is missing."
        )
        return
    if count == 1 and record.fields[0].text == "\\.":
        diagnosis.add(record.line, 1, "A line with \\. alone ends the data for PostgreSQL; quote it.")
        return
    if count < len(columns):
        cut = " The file may be truncated." if record.is_last else ""
        message = f"{count} values for {len(columns)} columns: {columns[count].name} is missing.{cut}"
        diagnosis.add(*record.end, message)
    elif count > len(columns):
        extra = record.fields[len(columns)]
        diagnosis.add(extra.line, extra.column, f"{count} values for {len(columns)} columns.")
    for item, column in zip(record.fields, columns, strict=False):
        diagnosis.check(Value(item.line, item.column, column, item.text))


def _records(path: Path, *, start: int = 1) -> Iterator[_Record]:
    """The records that end at a line or after it, with the place of every value.

    A longer record than anybody writes is passed over, unless it never ends. Bytes that are not UTF-8 are
    told elsewhere.
    """
    first, size, is_open, text = 1, 0, False, ""
    parts: list[str] = []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for number, text in enumerate(file, 1):
            size += len(text)
            if size <= _MAX_RECORD:
                parts.append(text)
            if text.count('"') % 2:
                is_open = not is_open
            if is_open:
                continue
            if number >= start and size <= _MAX_RECORD:
                # Whether a record is the last is known only at the file's end; a line end after it
                # tells it is whole.
                yield _split("".join(parts), first, is_last=not text.endswith(("\n", "\r")))
            first, size = number + 1, 0
            parts.clear()
    if is_open and size > _MAX_RECORD:
        yield _Record(first, (), (first, 1), is_last=True, open_quote=(first, 1))
    elif is_open:
        yield _split("".join(parts), first, is_last=True)


def _split(text: str, line: int, *, is_last: bool) -> _Record:
    body = text.removesuffix("\n").removesuffix("\r")
    fields: list[_Field] = []
    offset, start_line, line_start = 0, line, 0
    while True:
        match = _FIELD.match(body, offset)
        assert match is not None
        raw = match.group()
        fields.append(_Field(_value(raw), line, offset - line_start + 1))
        for end in _LINE_END.finditer(raw):
            line, line_start = line + 1, offset + end.end()
        offset = match.end()
        if offset >= len(body) or body[offset] != ",":
            break
        offset += 1
    place = (line, offset - line_start + 1)
    open_quote = place if offset < len(body) and body[offset] == '"' else None
    return _Record(start_line, tuple(fields), place, is_last, open_quote)


def _value(raw: str) -> str | None:
    """A value as COPY reads it: nothing is null, a quoted nothing is an empty text."""
    if not raw:
        return None
    if '"' not in raw:
        return raw
    return "".join(_unquoted(raw))


def _unquoted(raw: str) -> Iterator[str]:
    for match in re.finditer(r'[^"]+|"((?:[^"]|"")*)"', raw):
        quoted = match[1]
        yield match[0] if quoted is None else quoted.replace('""', '"')
