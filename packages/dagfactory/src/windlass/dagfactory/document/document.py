"""A parsed config file: its data, and the place of everything in it once a mistake must be shown."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from windlass.dagfactory.diagnostics import CODES, Code, Diagnostic, Finding, JsonPath, json_path
from windlass.dagfactory.document.scan import Problem, Scan, Span, scan
from windlass.dagfactory.document.strings import find_character
from windlass.dagfactory.secrets import hide, secret_places

__all__ = ["BOM", "Document"]

_MESSAGE_MAX = 1000
BOM = "\ufeff"


@dataclass(frozen=True)
class Document:
    """A parsed config file.

    Attributes:
        text: The file's text, "" if it could not be decoded.
        data: The parsed data; None if the text cannot be understood.
        problems: What is malformed; the data may be there all the same (a trailing comma, say).
        scanner: Finds the positions in a text of this format.
    """

    text: str
    data: Any
    problems: tuple[Problem, ...] = ()
    scanner: Callable[[str], Scan] = field(default=scan, compare=False, repr=False)

    @cached_property
    def _scan(self) -> Scan:
        return self.scanner(self.text.removeprefix(BOM))

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
        shift = 1 if self.text.startswith(BOM) else 0
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

    @cached_property
    def secrets(self) -> list[Span]:
        """Where in the text what may be secrets stands, whatever can be understood of it."""
        return secret_places(self.text)

    def diagnostics(self, file: str, findings: list[Finding]) -> list[Diagnostic]:
        """Locate problems and findings in the file, in the order of the text.

        Args:
            file: The file's name as the user knows it.
            findings: What later checks found.

        Returns:
            All of them; lines that hold a secret are not quoted.
        """
        spans = [(p.code, p.span, p.path, p.message, p.suggestion) for p in self.problems]
        spans += [(f.code, self._span_of(f), f.path, f.message, f.suggestion) for f in findings]
        spans.sort(key=lambda entry: (entry[1][0], entry[0]))
        hidden = [span for code, span, *_ in spans if not CODES[code].quotes_source]
        secret = {line for span in (*hidden, *self.secrets) for line in self._lines_of(span)}
        return [self._diagnostic(file, secret, *entry) for entry in spans]

    def _lines_of(self, span: Span) -> range:
        first, last = (bisect_right(self._line_starts, at) for at in (span[0], max(span[0], span[1] - 1)))
        return range(first, last + 1)

    def _span_of(self, finding: Finding) -> Span:
        whole = self.span(finding.path, at_key=finding.at == "key")
        exact = self._scan.values.get(finding.path) if finding.inside else None
        if finding.inside is None or exact is None:
            return whole
        value: Any = self.data
        for part in finding.path:
            value = value[part]
        first, count = finding.inside
        ends = (
            find_character(self.text, whole, value, first),
            find_character(self.text, whole, value, first + count - 1),
        )
        return whole if ends[0] is None or ends[1] is None else (ends[0], ends[1] + 1)

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
            path=_short(hide(json_path(path))),
            message=_short(hide(message)),
            suggestion=suggestion and _short(hide(suggestion)),
            source_line=None if line in secret or not source else source,
            length=length,
        )


def _short(text: str) -> str:
    """Keep a config that quotes a megabyte in one name from filling a screen or a database."""
    return text if len(text) <= _MESSAGE_MAX else f"{text[: _MESSAGE_MAX - 1]}…"
