"""Where in the file a character of a string stands, escapes and folded lines notwithstanding.

However a string is written, its characters that are no space stand in the text in the same order; so the
n-th of the one is the n-th of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["find_character"]

_PREFIX = re.compile(r"(?:[&!]\S*\s+)*")
_HEADER = re.compile(r"[|>][^\n]*\n?")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|\r?\n|.)",
    re.DOTALL,
)
_NOTHING = frozenset(" \n\r\tntrvf_NLP")


def find_character(text: str, span: tuple[int, int], value: str, index: int) -> int | None:
    """Find a character of a string value in the text.

    Args:
        text: The file's text.
        span: Where the value stands in it, quotes and YAML's indicators included.
        value: The string.
        index: Which of its characters; of a space, the next that is none.

    Returns:
        The offset in the text, or None if the text only refers to the string.
    """
    start, end = span
    start = _PREFIX.match(text, start, end).end()  # type: ignore[union-attr]
    style = text[start : start + 1]
    if style == "*":
        return None
    before = sum(not char.isspace() for char in value[:index])
    if style == '"':
        offsets = _double_quoted(text, start + 1, end - 1)
    elif style == "'":
        offsets = _single_quoted(text, start + 1, end - 1)
    else:
        header = _HEADER.match(text, start, end)
        offsets = (at for at in range(header.end() if header else start, end) if not text[at].isspace())
    return next((at for count, at in enumerate(offsets) if count == before), None)


def _double_quoted(text: str, at: int, end: int) -> Iterator[int]:
    while at < end:
        escape = _ESCAPE.match(text, at, end) if text[at] == "\\" else None
        if escape is None:
            if not text[at].isspace():
                yield at
            at += 1
            continue
        if not _is_space(escape.group()[1:]):
            yield at
        at = escape.end()


def _is_space(escape: str) -> bool:
    """Tell whether an escape stands for a space, or for nothing."""
    if len(escape) > 2:  # noqa: PLR2004 - a code point, or a pair of them, which is no space
        return len(escape) <= 9 and chr(int(escape[1:], 16)).isspace()  # noqa: PLR2004
    return escape in _NOTHING or escape == "\r\n"


def _single_quoted(text: str, at: int, end: int) -> Iterator[int]:
    while at < end:
        if not text[at].isspace():
            yield at
        at += 2 if text.startswith("''", at) else 1
