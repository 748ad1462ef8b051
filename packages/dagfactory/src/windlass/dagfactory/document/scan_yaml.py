"""YAML as plain data, by the core schema of YAML 1.2 and by no more than JSON can say, with positions.

libyaml knows YAML 1.1 and hands out events; what a plain scalar means is decided here: `yes` and `on` are
strings, `012` is twelve, a date stays a string. Tags, merge keys, keys that are no strings and further
documents are refused, and aliases are bounded, for they let a small file grow without end.
"""

from __future__ import annotations

import math
import re
from typing import Any

from yaml import YAMLError
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    StreamEndEvent,
)

from windlass.dagfactory.diagnostics import Code, JsonPath
from windlass.dagfactory.document.limits import MAX_BYTES, MAX_DEPTH
from windlass.dagfactory.document.scan import Scan, Scanner, Span, Stop
from windlass.dagfactory.document.yaml_errors import bare_template, explained

__all__ = ["scan_yaml"]

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_NODE_WEIGHT = 16  # of a node beside its text: 65,536 empty nodes are as much as a file may be long


def scan_yaml(text: str, *, positions: bool = True) -> Scan:
    """Read a YAML text, going on after mistakes where the meaning is plain.

    Args:
        text: The text, without byte order mark.
        positions: Whether to note where keys and values stand; without, it is quicker by a third.
    """
    return _YamlScanner(text, positions=positions).run()


class _YamlScanner(Scanner):
    def __init__(self, text: str, *, positions: bool) -> None:
        super().__init__(text)
        self.positions = positions
        self.weight = 0
        self.repeated = 0
        self.anchors: dict[str, tuple[Any, int] | None] = {}

    def read(self) -> None:
        self.refuse_control_characters()
        try:
            self.parser = CParser(self.text)
            self.stream()
        except YAMLError as error:
            problem = explained(error, self.text)
            if all(known.span != problem.span for known in self.result.problems):
                self.result.problems.append(problem)
            raise Stop from error

    def refuse_control_characters(self) -> None:
        for found in _CONTROL.finditer(self.text):
            name = f"U+{ord(found.group()):04X}"
            self.report(Code.SYNTAX, found.span(), (), f"the control character {name}", "remove it")
        if self.result.problems:
            raise Stop

    def next(self) -> Any:
        return self.parser.get_event()

    def stream(self) -> None:
        self.next()
        if isinstance(self.next(), StreamEndEvent):
            self.report(Code.EMPTY, (0, 1), (), "the file holds nothing but comments")
            raise Stop
        self.result.data = self.value(self.next(), (), 0)
        self.next()
        following = self.next()
        if isinstance(following, DocumentStartEvent):
            message = "a second document begins here"
            self.report(Code.SEVERAL_DOCUMENTS, _span(following), (), message)

    def value(self, event: Any, path: JsonPath, depth: int) -> Any:
        kind = type(event)
        if kind is AliasEvent:
            value = self.alias(event, path, depth)
        else:
            if event.tag is not None:
                self.report(Code.TAG, _span(event), path, f'the tag "{event.tag}"')
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            before = self.weight
            value = self.node(event, path, depth)
            if event.anchor is not None:
                self.anchors[event.anchor] = value, self.weight - before
        if self.positions and path not in self.result.values:
            self.result.values[path] = _span(event)
        return value

    def node(self, event: Any, path: JsonPath, depth: int) -> Any:
        if type(event) is ScalarEvent:
            self.weight += _NODE_WEIGHT + len(event.value)
            return self.scalar(event, path)
        self.weight += _NODE_WEIGHT
        if depth >= MAX_DEPTH:
            self.too_deep(event, path)
        if event.flow_style and self.text[event.start_mark.index : event.start_mark.index + 2] == "{{":
            return self.template(event, path, depth)
        inside = self.mapping if type(event) is MappingStartEvent else self.sequence
        value, end = inside(path, depth + 1)
        if self.positions:
            self.result.values[path] = event.start_mark.index, end.end_mark.index
        return value

    def template(self, event: Any, path: JsonPath, depth: int) -> str:
        """Read a template that lacks its quotes as the text that it is meant to be, and tell of it alone."""
        bare = bare_template(self.text, event.start_mark.index)
        before, known = self.positions, len(self.result.problems)
        self.positions = False
        _, end = self.mapping(path, depth + 1)
        self.positions = before
        span = bare.span if bare else (event.start_mark.index, end.end_mark.index)
        del self.result.problems[known:]
        hint = bare.suggestion if bare else "put the template in quotes"
        self.report(Code.SYNTAX, span, path, "a template that is not in quotes", hint)
        return self.text[slice(*span)]

    def too_deep(self, event: Any, path: JsonPath) -> None:
        self.report(Code.TOO_DEEP, _span(event), path, f"nested deeper than {MAX_DEPTH} levels")
        raise Stop

    def mapping(self, path: JsonPath, depth: int) -> tuple[dict[str, Any], Any]:
        found: dict[str, Any] = {}
        first: dict[str, Span] = {}
        while not isinstance(event := self.next(), CollectionEndEvent):
            key = self.key(event, path, depth)
            if key is None:
                self.dropped(path, depth)
            elif key in found:
                line = self.text.count("\n", 0, first[key][0]) + 1
                message = f'the key "{key}" stands twice in this object, first on line {line}'
                self.report(Code.DUPLICATE_KEY, _span(event), (*path, key), message)
                self.dropped(path, depth)
            else:
                first[key] = _span(event)
                if self.positions:
                    self.result.keys[(*path, key)] = first[key]
                found[key] = self.value(self.next(), (*path, key), depth)
        return found, event

    def sequence(self, path: JsonPath, depth: int) -> tuple[list[Any], Any]:
        found: list[Any] = []
        while not isinstance(event := self.next(), CollectionEndEvent):
            found.append(self.value(event, (*path, len(found)), depth))
        return found, event

    def key(self, event: Any, path: JsonPath, depth: int) -> str | None:
        """Read a key; None if it is none that JSON has."""
        span = _span(event)
        if type(event) is not ScalarEvent:
            self.unplaced(event, path, depth)
            self.report(Code.KEY, span, path, "a key that is no string", "write the key as plain text")
            return None
        text: str = event.value
        if event.implicit[0] and text == "<<":
            self.report(Code.MERGE_KEY, span, path, "the merge key <<")
            return None
        found = self.value(event, path, depth) if event.anchor else self.node(event, path, depth)
        if event.tag is not None and not event.anchor:
            self.report(Code.TAG, span, path, f'the tag "{event.tag}"')
        if isinstance(found, str):
            return found
        shown = text or "(nothing)"
        self.report(Code.KEY, span, path, f"the key {shown} is no string", f'write "{text}" in quotes')
        return None

    def dropped(self, path: JsonPath, depth: int) -> None:
        """Read a value that does not count: the first of two stays, with its positions."""
        self.unplaced(self.next(), path, depth)

    def unplaced(self, event: Any, path: JsonPath, depth: int) -> None:
        before, self.positions = self.positions, False
        self.value(event, path, depth)
        self.positions = before

    def alias(self, event: Any, path: JsonPath, depth: int) -> Any:
        name = event.anchor
        if name not in self.anchors:
            self.report(Code.SYNTAX, _span(event), path, f"no anchor &{name} stands before this alias")
            return None
        known = self.anchors[name]
        if known is None:
            self.report(Code.ALIASES, _span(event), path, f"the alias *{name} stands inside what it repeats")
            return None
        value, weight = known
        self.weight += weight
        self.repeated += weight
        if self.repeated > MAX_BYTES:
            message = f"aliases repeat more than {MAX_BYTES:,} characters"
            self.report(Code.ALIASES, _span(event), path, message)
            raise Stop
        if depth + _height(value) > MAX_DEPTH:
            self.too_deep(event, path)
        return value

    def scalar(self, event: Any, path: JsonPath) -> Any:
        text: str = event.value
        if "\0" in text:
            self.report(Code.CHARACTER, _span(event), path, "the string holds a character that is NUL")
            return text.replace("\0", "")
        if not event.implicit[0] or event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        return self.number(event, text, path) if text[0] in _NUMBER_START else text

    def number(self, event: Any, text: str, path: JsonPath) -> Any:
        value: float | str = text
        try:
            if _INTEGER.match(text):
                value = int(text)
            elif _OTHER_BASE.match(text):
                value = int(text, 0)
            elif _FLOAT.match(text):
                value = float(text)
            elif _NOT_FINITE.match(text):
                self.report(Code.NUMBER, _span(event), path, f"{text} is no JSON number")
                return None
        except ValueError:  # more digits than Python converts
            value = math.inf
        if value in (math.inf, -math.inf):
            self.report(Code.NUMBER, _span(event), path, "the number is too large")
            return None
        return value


def _span(event: Any) -> Span:
    return event.start_mark.index, event.end_mark.index


def _height(value: Any) -> int:
    """Count the levels of containers; what aliases repeat is bounded, and so is this."""
    if isinstance(value, dict):
        return 1 + max(map(_height, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_height, value), default=0)
    return 0
