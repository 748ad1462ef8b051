"""CSV files: their header for COPY, and all that is wrong with one that COPY refuses, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from windlass.warehouse.load.diagnosis import Diagnosis, Value
from windlass.warehouse.load.table import Column

__all__ = ["diagnose_csv", "header_places"]

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


def diagnose_csv(path: Path, columns: tuple[Column, ...], diagnosis: Diagnosis) -> None:
    """Find what is wrong with the records of a file whose header is right.

    Args:
        path: The file.
        columns: The table's columns in the header's order.
        diagnosis: Takes the problems.
    """
    records = _records(path)
    next(records, None)
    for record in records:
        _diagnose(record, columns, diagnosis)
        if diagnosis.is_full:
            return


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


def _records(path: Path) -> Iterator[_Record]:
    """The records, with the place of every value; bytes that are not UTF-8 are told elsewhere."""
    line, buffer = 1, ""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for text in file:
            buffer += text
            if buffer.count('"') % 2 == 0:
                # Whether a record is the last is known only at the file's end; a line end after it
                # tells it is whole.
                record = _split(buffer, line, is_last=not text.endswith(("\n", "\r")))
                line += len(_LINE_END.findall(buffer))
                buffer = ""
                yield record
    if buffer:
        yield _split(buffer, line, is_last=True)


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
