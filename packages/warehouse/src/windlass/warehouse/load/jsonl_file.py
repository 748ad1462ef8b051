"""JSON lines: one object a line, its keys the table's columns, numbers kept digit for digit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any

from psycopg import sql

from windlass.warehouse.errors import FileProblem
from windlass.warehouse.load.diagnosis import MAX_VALUES, Diagnosis, Value
from windlass.warehouse.load.encoding import diagnose_encoding, diagnose_line
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
from windlass.warehouse.load.table import Column
from windlass.warehouse.load.text_row import text_row

__all__ = ["JsonlReader"]

_TOO_DEEP = "It is nested deeper than can be read; flatten it."
_BATCH = 512 * 1024
_JSON_TYPES = ("json", "jsonb")


class _Number(str):
    """A number in the digits of the file."""

    __slots__ = ()


class _LineError(Exception):
    """A line is no object, or an object with other keys; tells the place and what is wrong."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(line, column, message)
        self.line, self.column, self.message = line, column, message

    @property
    def problem(self) -> FileProblem:
        """It as it is told."""
        return FileProblem(self.line, self.column, self.message)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its number, text and object; what is wrong with it instead of an object."""

    number: int
    raw: bytes
    text: str
    value: dict[str, Any] | None
    error: _LineError | None = None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(next(name for name in names if names.count(name) > 1))
    return found


def _constant(text: str) -> Any:
    raise json.JSONDecodeError(f"{text} is no JSON", text, 0)


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_constant
)


def _parsed(number: int, raw: bytes) -> _Line:
    text = raw.decode("utf-8", "surrogateescape")
    told = partial(_Line, number, raw, text, None)
    try:
        value = _decoder.decode(text)
    except RecursionError:
        return told(_LineError(number, 1, _TOO_DEEP))
    except json.JSONDecodeError as error:
        cut = "" if text.endswith("\n") else " The file may be truncated."
        return told(_LineError(number, error.pos + 1, f"Not JSON: {error.msg}.{cut}"))
    except ValueError as error:
        place = text.rfind(json.dumps(str(error), ensure_ascii=False)) + 1
        return told(_LineError(number, place or 1, f"Key {str(error)!r} is there twice."))
    if not isinstance(value, dict):
        return told(_LineError(number, 1, "Not an object."))
    return _Line(number, raw, text, value)


@dataclass(frozen=True)
class JsonlReader:
    """A file of JSON lines.

    Attributes:
        source: The file.
        columns: Keys that have another name in the table; None for one that is left out.
        ignore_extra: Whether a key that neither the first line nor the table has is left out.
        allow_missing: Whether a line may lack a key of the first one: then it is null.
        known: The table's columns, whose keys are never left out unasked.
    """

    source: TextSource
    columns: Mapping[str, str | None]
    ignore_extra: bool
    allow_missing: bool
    known: frozenset[str]

    def _lines(self, digest: Digest | None = None, *, start: int = 1) -> Iterator[_Line]:
        """The lines from one on; empty ones are passed over, and one that is too long is the last."""
        for number, raw in enumerate(self.source.lines(digest), 1):
            if len(raw) > MAX_RECORD:
                error = _LineError(number, 1, f"The record is longer than {MAX_RECORD >> 20} MB.")
                yield _Line(number, raw, "", None, error)
            elif number >= start and not raw.isspace():
                yield _parsed(number, raw)

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        first = next(self._lines(), None)
        return tuple(first.value) if first is not None and first.value else ()

    def header(self, diagnosis: Diagnosis) -> list[HeaderName]:
        """The keys of the first object, all of them with its place; a problem when there is none."""
        first = next(self._lines(), None)
        if first is not None and first.value:
            return [(name, first.number, 1) for name in first.value]
        if first is None:
            is_empty = next(self.source.blocks(), b"") == b""
            diagnosis.add(1, 1, "The file is empty." if is_empty else "The file has no object.")
        elif first.error is not None:
            diagnosis.add(first.error.line, first.error.column, first.error.message)
        else:
            diagnosis.add(first.number, 1, "The object is empty.")
        return []

    def options(self) -> sql.Composable:
        """COPY's text format: a line a record, whatever the values hold."""
        return sql.SQL("format text, encoding 'UTF8'")

    def guard(self) -> bytes:
        """Nothing."""
        return b""

    def line_end(self) -> bytes:
        """That of COPY's text format."""
        return b"\n"

    def batches(self, layout: Layout, digest: Digest) -> Iterator[Batch]:
        """Its objects."""
        good: list[Record] = []
        bad: list[BadRecord] = []
        size = 0
        for line in self._lines(digest):
            if line.error is not None and len(line.raw) > MAX_RECORD:
                if good or bad:
                    yield _batch(good, bad)
                raise UnreadableError(line.number, 1, line.error.message)
            try:
                payload = text_row(self._row(line, layout))
            except _LineError as error:
                bad.append(BadRecord(line.number, line.raw, (error.problem,)))
            except UnicodeEncodeError:
                bad.append(BadRecord(line.number, line.raw, self._undecodable(line)))
            else:
                good.append(Record(line.number, payload, line.raw))
                size += len(payload)
            if size >= _BATCH or len(bad) >= _BATCH >> 10:
                yield _batch(good, bad)
                good, bad, size = [], [], 0
        if good or bad:
            yield _batch(good, bad)

    def _undecodable(self, line: _Line) -> tuple[FileProblem, ...]:
        try:
            line.text.encode()
        except UnicodeEncodeError as error:
            column = error.start + 1
            return (FileProblem(line.number, column, f"A byte is not {self.source.encoding}."),)
        return (FileProblem(line.number, 1, "An escape like \\ud800 is half a character."),)

    def _row(self, line: _Line, layout: Layout) -> list[str | None]:
        """The line's values in the order of the layout's columns."""
        if line.value is None:
            assert line.error is not None
            raise line.error
        values, keys = line.value, self._keys
        if values.keys() != set(keys):
            self._compare_keys(line)
        try:
            return [
                _dumped(values.get(key)) if column.type_name in _JSON_TYPES else _text(values.get(key))
                for key, column in zip(keys, layout, strict=True)
                if column is not None
            ]
        except RecursionError:
            raise _LineError(line.number, 1, _TOO_DEEP) from None

    def _compare_keys(self, line: _Line) -> None:
        assert line.value is not None
        for name in line.value:
            if name not in self._keys and not self._is_left_out(name):
                raise _LineError(
                    line.number, _place(line.text, name), f"Key {name!r} is not in the first line."
                )
        for name in self._keys:
            if name not in line.value and not self.allow_missing:
                raise _LineError(line.number, 1, f"Key {name!r} is missing; write null for no value.")

    def _is_left_out(self, name: str) -> bool:
        if name in self.columns:
            return self.columns[name] is None
        return self.ignore_extra and name not in self.known

    def diagnose_text(self, diagnosis: Diagnosis) -> None:
        """Find what is no text in the encoding it should have."""
        diagnose_encoding(self.source, diagnosis)

    def examine(self, record: Record, layout: Layout, diagnosis: Diagnosis) -> None:
        """Find what is wrong with one line."""
        diagnose_line(self.source, record.line, record.text, diagnosis)
        self._examine(_parsed(record.line, record.text), layout, diagnosis)

    def diagnose(self, layout: Layout, diagnosis: Diagnosis, *, start: int) -> None:
        """Find what is wrong with the lines of a file from a line on; how much is examined is bounded."""
        self.diagnose_text(diagnosis)
        lines: Iterable[_Line] = self._lines(start=start)
        for line in islice(lines, 1 + MAX_VALUES // len(layout)):
            self._examine(line, layout, diagnosis)
            if diagnosis.is_full:
                return

    def _examine(self, line: _Line, layout: Layout, diagnosis: Diagnosis) -> None:
        try:
            row = self._row(line, layout)
        except _LineError as error:
            diagnosis.add(error.line, error.column, error.message)
            return
        kept: list[tuple[str, Column]] = [
            (key, column) for key, column in zip(self._keys, layout, strict=True) if column is not None
        ]
        for (key, column), text in zip(kept, row, strict=True):
            diagnosis.check(Value(line.number, _place(line.text, key), column, text))


def _batch(good: list[Record], bad: list[BadRecord]) -> Batch:
    line = good[0].line if good else bad[0].line
    return Batch(line, b"".join(record.payload for record in good), lambda: good, tuple(bad))


def _place(text: str, name: str) -> int:
    return text.find(json.dumps(name, ensure_ascii=False)) + 1 or 1


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _dumps(value)


def _dumped(value: Any) -> str | None:
    """A value for a column of JSON: a text stays one, also if it reads like a number."""
    return None if value is None else _dumps(value)


def _dumps(value: Any) -> str:
    """JSON of a nested value with its numbers as they were written, and its bytes that are no text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {_dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dumps, value)) + "]"
    return str(value) if isinstance(value, _Number) else _quoted(value)


_quoted = json.JSONEncoder(ensure_ascii=False).encode
