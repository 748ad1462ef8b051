"""What is found in a text: which kind of secret, and where it begins and ends."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Secret"]


class Secret(NamedTuple):
    """A secret in a text.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last.
        kind: What it is, with its article.
        in_url: Whether it is part of a URL.
    """

    start: int
    end: int
    kind: str
    in_url: bool = False
