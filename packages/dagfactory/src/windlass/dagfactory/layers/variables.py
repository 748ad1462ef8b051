"""`${NAME}` in a config's values: only what is declared, only what is set, never what is a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean
from windlass.dagfactory.secrets import names_secret

__all__ = ["Substitution", "declared_names", "declared_variables", "raw_offset", "variables_in"]

_REFERENCE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LITERAL = ("variables", "$schema")


def declared_names(data: Any) -> list[str]:
    """List the names that a layer declares, those that are none left out."""
    names = data.get("variables") if isinstance(data, dict) else None
    found = names if isinstance(names, list) else []
    return [name for name in found if isinstance(name, str) and _NAME.match(name)]


def declared_variables(data: Mapping[str, Any]) -> tuple[dict[str, str | None], list[Finding]]:
    """Look up what a layer declares.

    Returns:
        Values by name, None where there is none to be used; and what is wrong.
    """
    names = data.get("variables")
    known: dict[str, str | None] = {}
    findings: list[Finding] = []
    for index, name in enumerate(names if isinstance(names, list) else ()):
        path = ("variables", index)
        if not isinstance(name, str):
            continue  # the model has reported it
        if not _NAME.match(name):
            message = f'"{name}" cannot be the name of a variable'
            findings.append(Finding(Code.INVALID_VALUE, path, message, "use letters, digits and _"))
            continue
        known[name], problem = _value_of(name)
        if problem:
            findings.append(Finding(problem[0], path, problem[1]))
    return known, findings


def _value_of(name: str) -> tuple[str | None, tuple[Code, str] | None]:
    if names_secret(name):
        return None, (Code.SECRET_VARIABLE, f'"{name}" looks like the name of a secret')
    value = os.environ.get(name)
    if value is None:
        return None, (Code.VARIABLE_NOT_SET, f'the variable "{name}" is not set')
    try:
        value.encode()
    except UnicodeEncodeError:
        return None, (Code.VARIABLE_NOT_SET, f'the variable "{name}" holds bytes that are no UTF-8')
    return value, None


class Substitution:
    """Replaces `${NAME}` in all values of a layer.

    Args:
        known: Values by name; None for one that is declared but has none.
        lenient: Whether undeclared names are left alone, because not all that declares them could be read.

    Attributes:
        findings: References to what is not declared.
        used: Which variables stand in which value, by its path.
    """

    def __init__(self, known: Mapping[str, str | None], *, lenient: bool = False) -> None:
        self.findings: list[Finding] = []
        self.used: dict[JsonPath, tuple[str, ...]] = {}
        self._known = known
        self._lenient = lenient

    def of(self, data: dict[str, Any]) -> dict[str, Any]:
        """Replace what stands in a layer; return it as it is if there is nothing to replace."""
        changed: dict[str, Any] = {}
        for key, value in data.items():
            if key not in _LITERAL:
                new = self._in(value, (key,))
                if new is not value:
                    changed[key] = new
        return {**data, **changed} if changed else data

    def _in(self, value: Any, path: JsonPath) -> Any:
        if isinstance(value, str):
            return self._in_text(value, path) if "${" in value else value
        if isinstance(value, dict):
            new = {key: self._in(inner, (*path, key)) for key, inner in value.items()}
            return new if any(new[key] is not inner for key, inner in value.items()) else value
        if isinstance(value, list):
            items = [self._in(inner, (*path, index)) for index, inner in enumerate(value)]
            return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
        return value

    def _in_text(self, text: str, path: JsonPath) -> str:
        names = variables_in(text)
        if names:
            self.used[path] = tuple(dict.fromkeys(names))
        for found in _REFERENCE.finditer(text):
            if not found[1] and found[2] not in self._known and not self._lenient:
                self.findings.append(self._undeclared(found, path))
        return "".join(part for _, _, part in _pieces(text, self._known))

    def _undeclared(self, found: re.Match[str], path: JsonPath) -> Finding:
        name = found[2]
        near = did_you_mean(name, list(self._known))
        suggestion = (
            near or f'declare it: "variables": ["{name}"]; or write $${{{name}}} for ${{{name}}} itself'
        )
        message = f'the variable "{name}" is not declared'
        inside = found.start(), len(found.group())
        return Finding(Code.UNDECLARED_VARIABLE, path, message, suggestion, inside=inside)


def variables_in(text: str) -> list[str]:
    """List the variables that a text refers to."""
    return [found[2] for found in _REFERENCE.finditer(text) if not found[1]]


def _pieces(text: str, known: Mapping[str, str | None]) -> Iterator[tuple[int, int, str]]:
    """Cut a text into pieces: where each begins and ends, and what it becomes."""
    at = 0
    for found in _REFERENCE.finditer(text):
        if found.start() > at:
            yield at, found.start(), text[at : found.start()]
        value = known.get(found[2])
        if found[1]:
            value = found.group()[1:]
        yield found.start(), found.end(), found.group() if value is None else value
        at = found.end()
    yield at, len(text), text[at:]


def raw_offset(text: str, known: Mapping[str, str | None], offset: int) -> int:
    """Tell where in a text stands what is at an offset of what it became."""
    after = 0
    for start, end, became in _pieces(text, known):
        if offset < after + len(became):
            return start + offset - after if became == text[start:end] else start
        after += len(became)
    return len(text)
