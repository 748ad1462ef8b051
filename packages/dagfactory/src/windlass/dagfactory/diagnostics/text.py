"""Diagnostics for people: the place, the line with a caret under it, and what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from windlass.dagfactory.diagnostics.model import Diagnostic

__all__ = ["render_text"]

_WIDTH = 160
_CONTEXT = 60
_RED, _YELLOW, _BLUE, _BOLD, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[1m", "\x1b[0m"


def render_text(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """Render diagnostics as `file:line:column: severity code: message` with a source excerpt.

    Args:
        diagnostics: What to show, in this order.
        colour: Use terminal colours; leave it off for anything but a terminal.

    Returns:
        The text, without a final newline; empty for no diagnostics.
    """
    return "\n".join(_render(diagnostic, colour=colour) for diagnostic in diagnostics)


def _render(diagnostic: Diagnostic, *, colour: bool) -> str:
    def paint(text: str, *styles: str) -> str:
        return "".join(styles) + text + _RESET if colour else text

    place = f"{_printable(diagnostic.file)}:{diagnostic.line}:{diagnostic.column}"
    tint = _RED if diagnostic.severity == "error" else _YELLOW
    head = paint(f"{diagnostic.severity} {diagnostic.code}", tint, _BOLD)
    lines = [
        f"{paint(place, _BOLD)}: {head}: {_printable(diagnostic.message)} [{_printable(diagnostic.path)}]"
    ]
    number = str(diagnostic.line)
    margin = " " * len(number)
    if diagnostic.source_line is not None:
        excerpt, before, marked = _excerpt(diagnostic.source_line, diagnostic.column, diagnostic.length)
        caret = paint("^" * max(1, marked), tint, _BOLD)
        lines.append(f"  {paint(f'{number} |', _BLUE)} {excerpt}")
        lines.append(f"  {paint(f'{margin} |', _BLUE)} {' ' * before}{caret}")
    lines.append(f"  {margin} {paint('=', _BLUE)} {_printable(diagnostic.advice)}")
    return "\n".join(lines)


def _excerpt(line: str, column: int, length: int) -> tuple[str, int, int]:
    """Cut a window out of a long line; return it with the width before the mark and the width of the mark."""
    start, end = column - 1, column - 1 + length
    first = 0 if len(line) <= _WIDTH else max(0, start - _CONTEXT)
    last = len(line) if len(line) <= _WIDTH else min(len(line), first + _WIDTH)
    head, tail = "…" if first else "", "…" if last < len(line) else ""
    before = head + _printable(line[first:start])
    marked = _printable(line[start : min(end, last)])
    after = _printable(line[min(end, last) : last]) + tail
    return before + marked + after, _columns(before), _columns(marked)


def _printable(text: str) -> str:
    """Replace what would move the cursor or the terminal's state."""
    if text.isprintable():
        return text
    return "".join(" " if char == "\t" else char if char.isprintable() else "�" for char in text)


def _columns(text: str) -> int:
    """Count terminal cells: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    cells = 0
    for char in text:
        if not unicodedata.combining(char):
            cells += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return cells
