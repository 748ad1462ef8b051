"""JSON lines: one object a line, its keys the table's columns, numbers kept digit for digit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from windlass.warehouse.load.diagnosis import MAX_VALUES, Diagnosis, Value
from windlass.warehouse.load.table import Column

__all__ = ["JsonLine", "JsonLineError", "diagnose_jsonl", "first_line", "json_lines", "row_of"]


_TOO_DEEP = "It is nested deeper than can be read; flatten it."


class _Number(str):
    """A number in the digits of the file."""

    __slots__ = ()


class JsonLineError(Exception):
    """A line is no object, or an object with other keys; tells the place and what is wrong."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(line, column, message)
        self.line, self.column, self.message = line, column, message


@dataclass(frozen=True, slots=True)
class JsonLine:
    """A line with its number, text and object; what is wrong with it instead of an object."""

    number: int
    text: str
    value: dict[str, Any] | None
    error: JsonLineError | None = None


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


def json_lines(path: Path, *, start: int = 1) -> Iterator[JsonLine]:
    """The objects of a file from a line on; empty lines are passed over."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for number, text in enumerate(file, 1):
            if number >= start and not text.isspace():
                yield _parsed(number, text)


def _parsed(number: int, text: str) -> JsonLine:
    try:
        value = _decoder.decode(text)
    except RecursionError:
        return JsonLine(number, text, None, JsonLineError(number, 1, _TOO_DEEP))
    except json.JSONDecodeError as error:
        cut = "" if text.endswith("\n") else " The file may be truncated."
        return JsonLine(
            number, text, None, JsonLineError(number, error.pos + 1, f"Not JSON: {error.msg}.{cut}")
        )
    except ValueError as error:
        place = text.rfind(json.dumps(str(error), ensure_ascii=False)) + 1
        return JsonLine(
            number, text, None, JsonLineError(number, place or 1, f"Key {str(error)!r} is there twice.")
        )
    if not isinstance(value, dict):
        return JsonLine(number, text, None, JsonLineError(number, 1, "Not an object."))
    return JsonLine(number, text, value)


def first_line(path: Path) -> JsonLine | None:
    """The first line that is not empty; None when there is none."""
    return next(json_lines(path), None)


def row_of(line: JsonLine, columns: tuple[Column, ...]) -> list[str | None]:
    """The line's values as COPY takes them.

    Raises:
        JsonLineError: It is no object, or has other keys than the columns.
    """
    if line.value is None:
        assert line.error is not None
        raise line.error
    if len(line.value) != len(columns):
        _compare_keys(line, columns)
    try:
        return [_text(line.value[column.name]) for column in columns]
    except RecursionError:
        raise JsonLineError(line.number, 1, _TOO_DEEP) from None
    except KeyError:
        _compare_keys(line, columns)
        raise


def _compare_keys(line: JsonLine, columns: tuple[Column, ...]) -> None:
    assert line.value is not None
    wanted = {column.name for column in columns}
    for name in line.value:
        if name not in wanted:
            raise JsonLineError(
                line.number, _place(line.text, name), f"Key {name!r} is not in the first line."
            )
    for column in columns:
        if column.name not in line.value:
            raise JsonLineError(line.number, 1, f"Key {column.name!r} is missing; write null for no value.")


def _place(text: str, name: str) -> int:
    return text.find(json.dumps(name, ensure_ascii=False)) + 1 or 1


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _dumps(value)


def _dumps(value: Any) -> str:
    """JSON of a nested value with its numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dumps, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value)


def diagnose_jsonl(path: Path, columns: tuple[Column, ...], diagnosis: Diagnosis, *, start: int) -> None:
    """Find what is wrong with the lines of a file from a line on; how much is examined is bounded."""
    for line in islice(json_lines(path, start=start), 1 + MAX_VALUES // len(columns)):
        try:
            row = row_of(line, columns)
        except JsonLineError as error:
            diagnosis.add(error.line, error.column, error.message)
        else:
            for column, text in zip(columns, row, strict=True):
                place = _place(line.text, column.name)
                diagnosis.check(Value(line.number, place, column, text))
        if diagnosis.is_full:
            return
