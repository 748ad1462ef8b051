"""Bytes become plain data by the quickest parser there is; a second pass finds what is malformed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import Any, NoReturn

from windlass.dagfactory.diagnostics import Code
from windlass.dagfactory.document.document import BOM, Document
from windlass.dagfactory.document.limits import MAX_BYTES, MAX_DEPTH
from windlass.dagfactory.document.scan import Problem, Scan, scan

__all__ = ["parse_document", "suffix_of"]

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ESCAPED_CHARACTER = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


def parse_document(data: bytes | Problem, *, suffix: str = ".json") -> Document:
    """Parse the bytes of a config file.

    Args:
        data: The file's bytes, or the problem that kept them from being read.
        suffix: Which format: `.json`, `.yaml` or `.yml`; a further format adds its parser to `_PARSERS`.

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


def suffix_of(path: str | PurePath) -> str:
    """Tell which parser a file's name asks for."""
    suffix = PurePath(path).suffix
    return suffix if suffix in _PARSERS else ".json"


def _undecodable(data: bytes, error: UnicodeDecodeError) -> Document:
    utf16 = data.startswith(_UTF16_MARKS)
    what = "the file is UTF-16" if utf16 else f"byte 0x{data[error.start]:02x} is no UTF-8"
    text = data.decode("utf-8", errors="replace")
    at = 0 if utf16 else len(data[: error.start].decode("utf-8"))
    return Document(text, None, (Problem(Code.NOT_UTF8, (at, at + 1), (), what, "save the file as UTF-8"),))


def _parse_json(text: str) -> Document:
    if not text.strip(" \t\r\n" + BOM):
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


def _parse_yaml(text: str) -> Document:
    from windlass.dagfactory.document.scan_yaml import scan_yaml  # costs who has JSON only nothing

    if not text.strip(" \t\r\n" + BOM):
        return Document(text, None, (Problem(Code.EMPTY, (0, 1), (), "the file is empty"),))
    shift = 1 if text.startswith(BOM) else 0
    return replace(_judged(text, scan_yaml(text[shift:], positions=False), shift), scanner=scan_yaml)


_PARSERS: dict[str, Callable[[str], Document]] = {
    ".json": _parse_json,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
}


def _parse_malformed(text: str) -> Document:
    shift = 1 if text.startswith(BOM) else 0
    return _judged(text, scan(text[shift:]), shift)


def _judged(text: str, found: Scan, shift: int) -> Document:
    """Make a document of what a scanner found in a text after its byte order mark."""
    problems = [replace(p, span=(p.span[0] + shift, p.span[1] + shift)) for p in found.problems]
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
