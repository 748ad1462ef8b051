"""A row in COPY's text format: one line, with what could end a value escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["text_row"]

_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def text_row(values: Iterable[str | None]) -> bytes:
    """Write a row.

    Args:
        values: Its values as the columns' types read them, None for null.

    Raises:
        UnicodeEncodeError: A value holds half a surrogate pair.
    """
    return ("\t".join(map(_escaped, values)) + "\n").encode()


def _escaped(value: str | None) -> str:
    if value is None:
        return "\\N"
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value
