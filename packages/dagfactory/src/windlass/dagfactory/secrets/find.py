"""All secrets in a text, in order and without overlaps."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.dagfactory.secrets.commands import find_in_commands
from windlass.dagfactory.secrets.found import Secret
from windlass.dagfactory.secrets.literals import is_literal, names_secret
from windlass.dagfactory.secrets.tokens import find_tokens

__all__ = ["find_secrets", "find_values"]

_NAME = re.compile(r"""(?<![\w.-])(?P<name>[A-Za-z_][\w.-]{0,80})\\?["']?\s*[:=]\s*(?:[|>][-+\d]{0,2}\s*)?""")
_VALUE = re.compile(r""""(?:[^"\\\n]|\\.){0,2000}"?|'[^'\n]{0,2000}'?|[^\n,}\]]{1,2000}""")


def find_secrets(text: str, *, prose: bool = False) -> list[Secret]:
    """Find the secrets in a text.

    Args:
        text: The text.
        prose: Whether it is written for people, who may tell of `password=…`: then only what is a secret
            by its own shape counts, and passwords in URLs.
    """
    found = sorted(find_tokens(text) if prose else [*find_tokens(text), *find_in_commands(text)])
    kept: list[Secret] = []
    for secret in found:
        if not kept or secret.start >= kept[-1].end:
            kept.append(secret)
        elif secret.end > kept[-1].end:
            kept[-1] = kept[-1]._replace(end=secret.end)
    return kept


def find_values(text: str) -> Iterator[tuple[int, int]]:
    """Find what stands after names of secrets in JSON or YAML, malformed as it may be."""
    for named in _NAME.finditer(text):
        if names_secret(named["name"]):
            found = _VALUE.match(text, named.end())
            value = found.group().rstrip() if found else ""
            if is_literal(value):
                start, quote = named.end(), value[0] if value[0] in "\"'" else ""
                closed = bool(quote) and len(value) > 1 and value.endswith(quote)
                yield start + len(quote), start + len(value) - closed
