"""The slow second pass over a JSON text: where every key and value stands, and what is malformed.

`json` stops at the first mistake and forgets positions. This scanner is run only when there is something to
report; it goes on after mistakes whose meaning is plain (comments, trailing commas, doubled keys, NaN), to
find them all.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from windlass.dagfactory.diagnostics import Code, JsonPath, did_you_mean
from windlass.dagfactory.document.limits import MAX_DEPTH, MAX_PROBLEMS

__all__ = ["Problem", "Scan", "Scanner", "Span", "Stop", "scan"]

Span = tuple[int, int]

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_STRING_BODY = re.compile(r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9A-Za-z_.])")
_WORD = re.compile(r"[-+]?[0-9A-Za-z_.$+-]+")
_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff\x00]")
_CONSTANTS = {"true": True, "false": False, "null": None}
_FOREIGN = {"True": "true", "False": "false", "None": "null", "undefined": "null", "nil": "null"}
_NOT_FINITE = {"NaN", "Infinity", "-Infinity", "inf", "-inf", "nan"}


@dataclass(frozen=True)
class Problem:
    """A mistake at an offset of the text."""

    code: Code
    span: Span
    path: JsonPath
    message: str
    suggestion: str | None = None


@dataclass
class Scan:
    """What the second pass found.

    Attributes:
        data: The document as far as it can be understood; None if `complete` is false.
        keys: Offsets of every key, by path.
        values: Offsets of every value, by path.
        problems: What is malformed, in the order of the text.
        complete: Whether the whole text was understood.
    """

    data: Any = None
    keys: dict[JsonPath, Span] = field(default_factory=dict)
    values: dict[JsonPath, Span] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = False


class Stop(Exception):  # noqa: N818 - control flow inside scanners, no error
    """The rest of the text cannot be understood, or must not be."""


class Scanner:
    """Reads a text until the end, or until it cannot go on; a format says how in `read`.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.result = Scan()

    def run(self) -> Scan:
        """Read the text."""
        try:
            self.read()
        except Stop:
            self.result.data = None
        else:
            self.result.complete = True
        return self.result

    def read(self) -> None:
        """Fill the result.

        Raises:
            Stop: The rest cannot be understood.
        """
        raise NotImplementedError

    def report(
        self, code: Code, span: Span, path: JsonPath, message: str, suggestion: str | None = None
    ) -> None:
        """Note a mistake.

        Raises:
            Stop: There are enough.
        """
        self.result.problems.append(Problem(code, span, path, message, suggestion))
        if len(self.result.problems) >= MAX_PROBLEMS:
            raise Stop


def scan(text: str) -> Scan:
    """Read a JSON text with positions, going on after mistakes where the meaning is plain."""
    return _JsonScanner(text).run()


class _JsonScanner(Scanner):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.at = 0

    def read(self) -> None:
        self.result.data = self.value((), 0)
        self.space(())
        if self.at < len(self.text):
            self.fail(
                Code.SYNTAX, (), "text after the end of the document", "remove it, or check the brackets"
            )

    def fail(self, code: Code, path: JsonPath, message: str, suggestion: str | None = None) -> None:
        """Report a mistake at the current offset after which nothing can be understood."""
        if self.at >= len(self.text) and code is Code.SYNTAX:
            code, message, suggestion = (
                Code.TRUNCATED,
                f"the file ends where there should be more: {message}",
                None,
            )
        self.report(code, (self.at, self.at + 1), path, message, suggestion)
        raise Stop

    def space(self, path: JsonPath) -> None:
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                return
            self.report(Code.COMMENT, comment.span(), path, "JSON has no comments")
            self.at = comment.end()

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self, path: JsonPath, depth: int) -> Any:
        self.space(path)
        start = self.at
        char = self.peek()
        if char in ("{", "["):
            if depth >= MAX_DEPTH:
                self.fail(Code.TOO_DEEP, path, f"nested deeper than {MAX_DEPTH} levels")
            inside = self.members if char == "{" else self.items
            value: Any = inside(path, depth + 1)
        elif char == '"':
            value = self.string(path)
        else:
            value = self.scalar(path)
        self.result.values[path] = (start, self.at)
        return value

    def members(self, path: JsonPath, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        comma: int | None = None
        while True:
            self.space(path)
            if self.peek() == "}":
                self.close(path, comma)
                return found
            if found and comma is None:
                self.fail(Code.SYNTAX, path, "a comma or } is missing here", "separate members with commas")
            self.member(path, depth, found)
            comma = self.comma(path)

    def member(self, path: JsonPath, depth: int, found: dict[str, Any]) -> None:
        start = self.at
        if self.peek() != '"':
            self.fail(Code.SYNTAX, path, "a key in double quotes should stand here", self.quoted())
        key = self.string(path)
        key_span = (start, self.at)
        inner = (*path, key)
        self.space(inner)
        if self.peek() != ":":
            self.fail(Code.SYNTAX, inner, f'a colon is missing after the key "{key}"')
        self.at += 1
        if key in found:
            line = self.text.count("\n", 0, self.result.keys[inner][0]) + 1
            message = f'the key "{key}" stands twice in this object, first on line {line}'
            self.report(Code.DUPLICATE_KEY, key_span, inner, message)
            kept = self.result.keys, self.result.values
            self.result.keys, self.result.values = {}, {}
            self.value(inner, depth)  # read and dropped: the first one stays, with its positions
            self.result.keys, self.result.values = kept
            return
        self.result.keys[inner] = key_span
        found[key] = None
        found[key] = self.value(inner, depth)

    def items(self, path: JsonPath, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        comma: int | None = None
        while True:
            self.space(path)
            if self.peek() == "]":
                self.close(path, comma)
                return found
            if found and comma is None:
                self.fail(Code.SYNTAX, path, "a comma or ] is missing here", "separate items with commas")
            found.append(self.value((*path, len(found)), depth))
            comma = self.comma(path)

    def comma(self, path: JsonPath) -> int | None:
        """Step over a comma; tell where it stood."""
        self.space(path)
        if self.peek() != ",":
            return None
        self.at += 1
        return self.at - 1

    def close(self, path: JsonPath, comma: int | None) -> None:
        if comma is not None:
            message = f"a comma before the closing {self.peek()}"
            self.report(Code.TRAILING_COMMA, (comma, comma + 1), path, message, "remove the comma")
        self.at += 1

    def string(self, path: JsonPath) -> str:
        match = _STRING.match(self.text, self.at)
        if match is None:
            self.broken_string(path)
            raise Stop
        self.at = match.end()
        value: str = json.loads(match.group())
        bad = _SURROGATE.search(value)
        if bad is not None:
            name = "NUL" if bad.group() == "\0" else "half of a surrogate pair"
            self.report(Code.CHARACTER, match.span(), path, f"the string holds a character that is {name}")
            value = _SURROGATE.sub("", value)
        return value

    def broken_string(self, path: JsonPath) -> None:
        start = self.at
        body = _STRING_BODY.match(self.text, start + 1)
        self.at = body.end() if body else start + 1
        if self.at >= len(self.text):
            self.fail(Code.SYNTAX, path, "a string is not closed")
        if self.peek() == "\\":
            self.fail(Code.SYNTAX, path, "an unknown escape in a string", r"write \\ for a backslash")
        if self.peek() in "\r\n":
            self.at = start
            self.fail(
                Code.SYNTAX,
                path,
                "a string is not closed on its line",
                r'close it with ", or write \n for a break',
            )
        self.fail(Code.SYNTAX, path, "a control character in a string", r"write it as an escape such as \t")

    def quoted(self) -> str | None:
        if self.peek() == "'":
            return "JSON has double quotes only"
        word = _WORD.match(self.text, self.at)
        return f'write "{word.group()}" in double quotes' if word and len(word.group()) <= 80 else None  # noqa: PLR2004

    def scalar(self, path: JsonPath) -> Any:
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            return self.number(path, number)
        word = _WORD.match(self.text, self.at)
        text = word.group() if word else ""
        if text in _CONSTANTS:
            self.at += len(text)
            return _CONSTANTS[text]
        if text in _NOT_FINITE:
            self.report(Code.NUMBER, (self.at, self.at + len(text)), path, f"{text} is no JSON number")
            self.at += len(text)
            return None
        if text in _FOREIGN:
            self.fail(Code.SYNTAX, path, f"{text} is not JSON", f"write {_FOREIGN[text]}")
        if not text:
            shown = self.peek()
            what = f"a value should stand here, not {shown!r}" if shown else "a value should stand here"
            self.fail(Code.SYNTAX, path, what, "JSON has double quotes only" if shown == "'" else None)
        near = did_you_mean(text, list(_CONSTANTS)) if len(text) <= 80 else None  # noqa: PLR2004
        self.fail(
            Code.SYNTAX, path, "neither a string in double quotes, a number, true, false nor null", near
        )
        raise Stop

    def number(self, path: JsonPath, match: re.Match[str]) -> Any:
        self.at = match.end()
        text = match.group()
        try:
            value: float = json.loads(text)
        except ValueError:  # more digits than Python converts
            value = math.inf
        if math.isinf(value):
            self.report(Code.NUMBER, match.span(), path, "the number is too large")
            return None
        return value
