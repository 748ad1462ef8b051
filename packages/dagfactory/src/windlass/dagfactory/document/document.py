"""Bytes become plain data by the quickest parser there is; a second pass finds positions, if need be."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from windlass.dagfactory.diagnostics import CODES, Code, Diagnostic, Finding, JsonPath, json_path
from windlass.dagfactory.document.limits import MAX_BYTES, MAX_DEPTH
from windlass.dagfactory.document.scan import Problem, Scan, Span, scan

__all__ = ["Document", "parse_document", "read_bytes"]

_MESSAGE_MAX = 1000
_BOM = "\ufeff"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ESCAPED_CHARACTER = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


@dataclass(frozen=True)
class Document:
    """A parsed config file.

    Attributes:
        text: The file's text, "" if it could not be decoded.
        data: The parsed data; None if the text cannot be understood.
        problems: What is malformed; the data may be there all the same (a trailing comma, say).
    """

    text: str
    data: Any
    problems: tuple[Problem, ...] = ()

    @cached_property
    def _scan(self) -> Scan:
        return scan(self.text.removeprefix(_BOM))

    @cached_property
    def _line_starts(self) -> list[int]:
        starts, at = [0], -1
        while (at := self.text.find("\n", at + 1)) >= 0:
            starts.append(at + 1)
        return starts

    def span(self, path: JsonPath, *, at_key: bool = False) -> Span:
        """Find where a JSON path stands, or the nearest enclosing place that exists.

        Args:
            path: Keys and indices.
            at_key: Show the key where there is one, else the value.

        Returns:
            Start and end offset in the text.
        """
        shift = 1 if self.text.startswith(_BOM) else 0
        for length in range(len(path), -1, -1):
            part = path[:length]
            exact = length == len(path)
            found = self._scan.keys.get(part) if at_key or not exact else None
            found = found or self._scan.values.get(part)
            if found is not None:
                return found[0] + shift, found[1] + shift
        return 0, 1

    def position(self, path: JsonPath, *, at_key: bool = False) -> tuple[int, int]:
        """Find line and column (from 1, in characters) of a JSON path's key or value."""
        return self.line_and_column(self.span(path, at_key=at_key)[0])

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Turn an offset of the text into line and column, from 1, in characters."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def diagnostics(self, file: str, findings: list[Finding]) -> list[Diagnostic]:
        """Locate problems and findings in the file, in the order of the text.

        Args:
            file: The file's name as the user knows it.
            findings: What later checks found.

        Returns:
            All of them; lines that hold a secret are not quoted.
        """
        spans = [(p.code, p.span, p.path, p.message, p.suggestion) for p in self.problems]
        spans += [
            (f.code, self.span(f.path, at_key=f.at == "key"), f.path, f.message, f.suggestion)
            for f in findings
        ]
        spans.sort(key=lambda entry: (entry[1][0], entry[0]))
        secret = {
            self.line_and_column(span[0])[0] for code, span, *_ in spans if not CODES[code].quotes_source
        }
        return [self._diagnostic(file, secret, *entry) for entry in spans]

    def _diagnostic(
        self,
        file: str,
        secret: set[int],
        code: Code,
        span: Span,
        path: JsonPath,
        message: str,
        suggestion: str | None,
    ) -> Diagnostic:
        line, column = self.line_and_column(span[0])
        begin = self._line_starts[line - 1]
        end = self.text.find("\n", begin)
        source = self.text[begin : end if end >= 0 else len(self.text)].rstrip("\r")
        length = max(1, min(span[1] - span[0], len(source) - column + 1))
        return Diagnostic(
            code=code.value,
            severity=CODES[code].severity,
            file=file,
            line=line,
            column=column,
            path=_short(json_path(path)),
            message=_short(message),
            suggestion=suggestion and _short(suggestion),
            source_line=None if line in secret or not source else source,
            length=length,
        )


def _short(text: str) -> str:
    """Keep a config that quotes a megabyte in one name from filling a screen or a database."""
    return text if len(text) <= _MESSAGE_MAX else f"{text[: _MESSAGE_MAX - 1]}…"


def read_bytes(path: str | os.PathLike[str]) -> bytes | Problem:
    """Read a config file, bounded, without waiting on what is no regular file.

    Returns:
        The bytes, at most one more than `MAX_BYTES`, or the problem that kept them from being read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _unreadable(error.strerror or type(error).__name__)
    except ValueError as error:
        return _unreadable(str(error))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return _unreadable("not a regular file")
        return _read_all(descriptor)
    except OSError as error:
        return _unreadable(error.strerror or type(error).__name__)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    chunks: list[bytes] = []
    left = MAX_BYTES + 1
    while left > 0 and (chunk := os.read(descriptor, left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _unreadable(reason: str) -> Problem:
    return Problem(Code.UNREADABLE, (0, 1), (), f"the file cannot be read: {reason}")


def parse_document(data: bytes | Problem, *, suffix: str = ".json") -> Document:
    """Parse the bytes of a config file.

    Args:
        data: The file's bytes, or the problem that kept them from being read.
        suffix: Which format: `.json` for now; a further format adds its parser to `_PARSERS`.

    Returns:
        The document; never raises for what the bytes hold.
    """
    if isinstance(data, Problem):
        return Document("", None, (data,))
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES:,} bytes"
        return Document("", None, (Problem(Code.TOO_LARGE, (0, 1), (), message),))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _undecodable(data, error)
    return _PARSERS[suffix](text)


def suffix_of(path: Path) -> str:
    """Tell which parser a file's name asks for."""
    return path.suffix if path.suffix in _PARSERS else ".json"


def _undecodable(data: bytes, error: UnicodeDecodeError) -> Document:
    utf16 = data.startswith(_UTF16_MARKS)
    what = "the file is UTF-16" if utf16 else f"byte 0x{data[error.start]:02x} is no UTF-8"
    text = data.decode("utf-8", errors="replace")
    at = 0 if utf16 else len(data[: error.start].decode("utf-8"))
    return Document(text, None, (Problem(Code.NOT_UTF8, (at, at + 1), (), what, "save the file as UTF-8"),))


def _parse_json(text: str) -> Document:
    if not text.strip(" \t\r\n" + _BOM):
        return Document(text, None, (Problem(Code.EMPTY, (0, 1), (), "the file is empty"),))
    if not _ESCAPED_CHARACTER.search(text):
        try:
            data = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
        except (ValueError, RecursionError):
            return _parse_malformed(text)
        # Fewer brackets than levels, as nearly always, need no look at the levels.
        shallow = text.count("{") + text.count("[") <= MAX_DEPTH
        if isinstance(data, dict) and (shallow or not _too_deep(data)):
            return Document(text, data)
    return _parse_malformed(text)


_PARSERS: dict[str, Callable[[str], Document]] = {".json": _parse_json}


def _parse_malformed(text: str) -> Document:
    shift = 1 if text.startswith(_BOM) else 0
    found = scan(text[shift:])
    problems = [
        Problem(p.code, (p.span[0] + shift, p.span[1] + shift), p.path, p.message, p.suggestion)
        for p in found.problems
    ]
    if shift:
        problems.append(Problem(Code.BYTE_ORDER_MARK, (0, 1), (), "the file begins with a byte order mark"))
    data = found.data
    if found.complete and not isinstance(data, dict):
        kind = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(
            type(data), "a number"
        )
        problems.append(
            Problem(Code.NOT_AN_OBJECT, (shift, shift + 1), (), f"the document is {kind}, not an object")
        )
        data = None
    return Document(text, data, tuple(sorted(problems, key=lambda problem: problem.span)))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("duplicate key")
    return data


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def _too_deep(data: dict[str, Any]) -> bool:
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            children = container.values() if isinstance(container, dict) else container
            below.extend(child for child in children if isinstance(child, dict | list))
        if not below:
            return False
        level = below
    return True
