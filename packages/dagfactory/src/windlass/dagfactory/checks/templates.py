"""What is wrong with one Jinja template, and at which of its characters: Jinja itself tells lines only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment

__all__ = ["FILTERS", "Mistake", "Reference", "assigned_names", "find_mistakes", "find_references"]

FILTERS = ("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz")
"""What Airflow 3.3 adds to Jinja's filters (`airflow.sdk.definitions._internal.templater.FILTERS`)."""

_DROPPED = frozenset({"whitespace", "comment_begin", "comment", "comment_end", "raw_begin", "raw_end"})
_LEXED_TO = re.compile(r"^unexpected (?:char .*|'[^']*') at (\d+)$", re.DOTALL)
_UNCLOSED = re.compile(r"innermost block that needs to be closed is '(\w+)'")
_BEGIN = re.compile(r"\{[{%#]")


@dataclass(frozen=True)
class Mistake:
    """A mistake in a template.

    Attributes:
        kind: What is malformed or not there.
        text: What Jinja says of the syntax, or the name that is not there.
        inside: First character in the template and how many.
        known: Names that are there.
    """

    kind: Literal["syntax", "name", "filter", "test"]
    text: str
    inside: tuple[int, int] | None
    known: Set[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True)
class Reference:
    """Files of which a template takes one in: include, import, extends.

    Attributes:
        names: The files, as the template names them; the first that is there is taken.
        optional: Whether none needs to be there.
        inside: First character in the template and how many.
    """

    names: tuple[str, ...]
    optional: bool
    inside: tuple[int, int] | None


class _Accepting(dict[str, Any]):
    """Filters or tests of which none is missing, so that looking for names does not end at one that is."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default or str)


@cache
def _environment() -> SandboxedEnvironment:
    made = SandboxedEnvironment(extensions=["jinja2.ext.do"])
    made.filters = _Accepting(made.filters | dict.fromkeys(FILTERS, str))
    made.tests = _Accepting(made.tests)
    return made


def find_mistakes(template: str, names: Set[str]) -> tuple[Mistake, ...]:
    """Find what keeps Airflow from rendering a template.

    Args:
        template: The template.
        names: What the context gives it.
    """
    environment = _environment()
    try:
        tree = environment.parse(template)
    except TemplateSyntaxError as error:
        return (Mistake("syntax", _said(error), _place_of_syntax_error(template, error)),)
    return tuple(_missing(tree, template, names))


def find_references(template: str) -> Iterator[Reference]:
    """List the files that a template takes in, as far as it names them outright.

    Args:
        template: The template; of a malformed one nothing is told.
    """
    for node in _parts(template, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends):
        named: Any = node.template  # type: ignore[attr-defined]
        parts = named.items if isinstance(named, nodes.List | nodes.Tuple) else [named]
        names = tuple(part.value for part in parts if isinstance(part, nodes.Const))
        if names and len(names) == len(parts) and all(isinstance(name, str) for name in names):
            optional = isinstance(node, nodes.Include) and node.ignore_missing
            yield Reference(names, optional, _place_of_text(template, names[0]))


def assigned_names(template: str) -> frozenset[str]:
    """List the names that a template gives a meaning anywhere in it: what it includes may use them."""
    found: set[str] = set()
    for node in _parts(template, nodes.Name, nodes.Macro, nodes.Import, nodes.FromImport):
        if isinstance(node, nodes.Macro) or (isinstance(node, nodes.Name) and node.ctx != "load"):
            found.add(node.name)
        elif isinstance(node, nodes.Import):
            found.add(node.target)
        elif isinstance(node, nodes.FromImport):
            found.update(name if isinstance(name, str) else name[1] for name in node.names)
    return frozenset(found)


def _parts(template: str, *kinds: type[nodes.Node]) -> Iterator[nodes.Node]:
    try:
        tree = _environment().parse(template)
    except TemplateSyntaxError:
        return iter(())
    return tree.find_all(kinds)


def _said(error: TemplateSyntaxError) -> str:
    text = re.sub(r" at \d+$", "", (error.message or "").rstrip("."))
    return f"{text[:1].lower()}{text[1:]}"


def _missing(tree: nodes.Template, template: str, names: Set[str]) -> Iterator[Mistake]:
    environment = _environment()
    for filtered in _first_of_each(tree.find_all(nodes.Filter), environment.filters):
        place = _place_of_name(template, filtered, after={"|"})
        yield Mistake("filter", filtered, place, frozenset(environment.filters))
    for tested in _first_of_each(tree.find_all(nodes.Test), environment.tests):
        place = _place_of_name(template, tested, after={"is", "not"})
        yield Mistake("test", tested, place, frozenset(environment.tests))
    given = names | environment.globals.keys()
    if given.issuperset(node.name for node in tree.find_all(nodes.Name)):
        return  # as nearly always, and ten times as quick as asking Jinja what a template sets itself
    missing = meta.find_undeclared_variables(tree) - given
    missing -= set(_guarded(tree))
    for name in sorted(missing):
        yield Mistake("name", name, _place_of_name(template, name), frozenset(given))


def _first_of_each(found: Iterable[nodes.Filter | nodes.Test], known: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(node.name for node in found if node.name not in known))


def _guarded(tree: nodes.Template) -> Iterator[str]:
    """List names that the template itself expects to be missing: `x is defined`, `x | default(1)`."""
    for test in tree.find_all(nodes.Test):
        if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name):
            yield test.node.name
    for applied in tree.find_all(nodes.Filter):
        if applied.name in ("default", "d") and isinstance(applied.node, nodes.Name):
            yield applied.node.name


def _tokens(template: str) -> list[tuple[str, str, int]] | None:
    """Cut a template into tokens: kind, text, offset; None where offsets cannot be told."""
    if "\r" in template:  # Jinja makes one character of two
        return None
    found: list[tuple[str, str, int]] = []
    at = 0
    for _, kind, text in _environment().lex(template):
        at = template.find(text, at)  # minus signs make Jinja skip spaces between tokens
        if at < 0:
            return None
        found.append((kind, text, at))
        at += len(text)
    return found


def _place_of_name(template: str, name: str, after: Set[str] = frozenset()) -> tuple[int, int] | None:
    before = ""
    for kind, text, at in _tokens(template) or ():
        if kind == "name" and text == name and (before in after if after else before not in {".", "|"}):
            return at, len(name)
        if kind != "whitespace":
            before = text
    return None


def _place_of_text(template: str, text: str) -> tuple[int, int] | None:
    for kind, written, at in _tokens(template) or ():
        if kind == "string" and written[1:-1] == text:
            return at, len(written)
    return None


def _place_of_syntax_error(template: str, error: TemplateSyntaxError) -> tuple[int, int] | None:
    try:
        tokens = _tokens(template)
    except TemplateSyntaxError:
        return _place_of_lexing_error(template, error)
    if tokens is None:
        return None
    counted = [token for token in tokens if token[0] not in _DROPPED]
    reached = _tokens_read(template)
    if reached < len(counted):
        return counted[reached][2], len(counted[reached][1])
    unclosed = _UNCLOSED.search(error.message or "")
    begins = [
        at
        for (kind, _, at), (_, following, _) in pairwise(counted)
        if kind.endswith("_begin") and (unclosed is None or following == unclosed[1])
    ]
    return (begins[-1], 2) if begins else None


def _place_of_lexing_error(template: str, error: TemplateSyntaxError) -> tuple[int, int] | None:
    told = _LEXED_TO.match(error.message or "")
    if told is not None and int(told[1]) < len(template):
        return int(told[1]), 1
    lines = template.splitlines(keepends=True)
    end = sum(map(len, lines[: error.lineno]))
    begins = [found.start() for found in _BEGIN.finditer(template, 0, end)]
    return (begins[-1], 2) if begins else None


def _tokens_read(template: str) -> int:
    """Parse again what is known to be malformed, counting up to the token that cannot be understood."""
    read = 0

    def counting() -> Iterator[Token]:
        nonlocal read
        for token in tokens:
            read += 1
            yield token

    parser = Parser(_environment(), template)
    tokens = list(parser.stream)
    parser.stream = TokenStream(counting(), None, None)
    try:
        parser.parse()
    except TemplateSyntaxError:
        at_end = parser.stream.current.type == "eof"
        return read if at_end else read - 1
    return read
