"""Secrets taken out of text that is about to be logged: an exception may quote a DSN, password and all."""

from __future__ import annotations

import re

__all__ = ["redact"]

_HIDDEN = "***"

# The user's part of a URI ends with its last @: a password that was not escaped may hold one, or a slash.
_URI = re.compile(r"(://[^\s:/@]*:)\S+(?=@)")
# A keyword of a DSN, an environment variable, a parameter of a URL, a member of a JSON object.
_KEYWORD = re.compile(
    r"""
    ((?:password|passwd|secret|token|api_?key|authorization)["']?\s*[=:]\s*)
    (?:'(?:[^'\\]|\\.)*(?:'|$)|"(?:[^"\\]|\\.)*(?:"|$)|(?:(?:bearer|basic)\s+)?[^\s,;&'"]+)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redact(text: str) -> str:
    """Replace what looks like a secret by `***`.

    A password that stands alone cannot be told from any other word; one in a URI or after a keyword such as
    `password=` can.

    Args:
        text: Any text, e.g. an exception's message.
    """
    return _KEYWORD.sub(rf"\g<1>{_HIDDEN}", _URI.sub(rf"\g<1>{_HIDDEN}", text))
