"""Texts without the secrets in them: the one way by which anything that may quote a config is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from windlass.dagfactory.secrets.hints import hints_in

__all__ = ["HIDDEN", "TELLING", "hide", "hide_known", "secret_places", "written"]

HIDDEN = "(secret)"
"""What is shown in place of one."""
TELLING = 8
"""From how many characters on a secret is told from other words."""


def hide(text: str, *, prose: bool = False) -> str:
    """Put `(secret)` in place of all that looks like one.

    Args:
        text: Any text.
        prose: Whether it is written for people, who may tell of `password=…`.
    """
    if not hints_in(text):
        return text
    from windlass.dagfactory.secrets.find import find_secrets  # its patterns take a while to be made

    parts: list[str] = []
    at = 0
    for secret in find_secrets(text, prose=prose):
        parts += [text[at : secret.start], HIDDEN]
        at = secret.end
    return "".join([*parts, text[at:]])


def written(secret: str) -> set[str]:
    """List how a message may quote a secret: as it is or escaped."""
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]}


def hide_known(text: str, known: Iterable[str]) -> str:
    """Put `(secret)` in place of secrets that are known; of short ones where they are words of their own."""
    for secret in known:
        if len(secret) >= TELLING:
            text = text.replace(secret, HIDDEN)
        else:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def secret_places(text: str) -> list[tuple[int, int]]:
    """Find what may be secrets in the text of a config file, malformed as it may be: rather too much.

    Args:
        text: The file's text.

    Returns:
        Begin and end of each.
    """
    if not hints_in(text):
        return []
    from windlass.dagfactory.secrets.find import find_secrets, find_values

    return [*((secret.start, secret.end) for secret in find_secrets(text)), *find_values(text)]
