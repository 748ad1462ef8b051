"""Does the config hold a secret: all who see the DAG read it, and version control keeps it for good."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, value_at

__all__ = ["check_secrets", "names_secret", "redact"]

_KEY = re.compile(
    r"(?:\A|[_-])(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)\Z",
    re.IGNORECASE,
)
_CODES = (Code.SECRET_VALUE, Code.SECRET_IN_URL)
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/@:]{0,250}:(?!\{\{|\$\{)[^\s/@]{1,1000}@", re.IGNORECASE)
_TEMPLATE = re.compile(r"\A\s*(?:\{\{.*\}\}|\$\{\w+\})\s*\Z", re.DOTALL)

# Each is anchored where a token begins, so that no text is scanned more than once.
_TOKENS = {
    "an AWS access key": re.compile(r"(?<![A-Za-z0-9])A[KS]IA[0-9A-Z]{16}(?![A-Za-z0-9])"),
    "a GitHub token": re.compile(
        r"(?<![A-Za-z0-9_])(?:gh[opusr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})"
    ),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    "a JSON Web Token": re.compile(
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    ),
    "an Authorization header": re.compile(
        r"""\bAuthorization['"]?\s*:\s*['"]?(?:Bearer|Basic)\s+(?!\{\{|[$<%])\S""", re.IGNORECASE
    ),
}
# What each of the shapes below has in it; one look spares most texts six.
_SUSPECT = re.compile(r"(?i:passw|pwd)|A[KS]IA|gh[opusr]_|github_pat_|PRIVATE KEY|eyJ|(?i:authorization)")
_AUTHORIZATION = re.compile(r"(?:\A|[_-])authorization\Z", re.IGNORECASE)
_CREDENTIALS = re.compile(r"\s*(?:Bearer|Basic)\s+(?!\{\{|[$<%])\S", re.IGNORECASE)
# Parameters of SQL, Jinja, shells and format strings stand for a password; they are none.
_PASSWORD = re.compile(
    r"""(?P<before>\b(?:and|or|where|set|on|when)\s+|,\s*|--)?
    (?<![\w./\\]) (?:(?:ssl|pg)?password|passwd|pwd) \s*=
    (?: \s* (?P<quoted>['"]) (?!\{|\$[\w({]|%[s(]|:\w|[?<*]) [^'"\s]
      | \s* (?!\{|\$[\w({]|%[s(]|:\w|[?<*]|(?:null|none|true|false|default)\b) [^\s'"`;&,()=]++ (?![(]|=\w)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_DSN = re.compile(
    r"""(?:\A|[\s;'"?&])(?:host|hostaddr|port|dbname|database|user|username|uid|server|service|sslmode|driver)=""",
    re.IGNORECASE,
)


_PARAM_DEPTH = 2
_TELLING = 8
"""From how many characters on a secret is taken out of messages about other places too."""
_HOLDERS = frozenset(
    {
        "args",
        "executor_config",
        "expand",
        "expand_kwargs",
        "inlets",
        "outlets",
        "owner_links",
        "params",
        "schedule",
    }
)


def check_secrets(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Look where values are the user's own for keys that name secrets, and for texts that hold one."""
    pending: list[tuple[Any, JsonPath, bool]] = [(data, (), False)]
    while pending:
        value, path, owned = pending.pop()
        named = isinstance(value, dict)
        chosen = path[-1:] in (("tasks",), ("operators",))  # their keys are names that users chose
        for key, inner in value.items() if named else enumerate(value):
            own = owned or (named and not chosen and key in _HOLDERS)
            if isinstance(inner, str):
                if own and inner:
                    yield from _check_text(inner, path, key)
            elif isinstance(inner, dict | list):
                pending.append((inner, (*path, key), own))


@lru_cache(maxsize=4096)
def names_secret(name: str) -> bool:
    """Tell whether a key or variable is named as secrets are."""
    return _KEY.search(_WORD_BREAK.sub("_", name)) is not None


def _check_text(value: str, above: JsonPath, last: str | int) -> Iterable[Finding]:
    key = last if isinstance(last, str) else next((k for k in reversed(above) if isinstance(k, str)), "")
    path = (*above, last)
    if last == "default" and above[0] == "params" and len(above) == _PARAM_DEPTH:
        key = str(above[1])  # a described param is named as its value
    if names_secret(key) and not _TEMPLATE.match(value):
        return (Finding(Code.SECRET_VALUE, path, f'the value of "{key}" looks like a secret'),)
    if "://" in value and _URL.search(value):
        return (Finding(Code.SECRET_IN_URL, path, f'"{key}" holds a URL with a password'),)
    if (_SUSPECT.search(value) or "uth" in key.lower()) and (kind := _kind(key, value)):
        return (Finding(Code.SECRET_VALUE, path, f'"{key}" holds what looks like {kind}'),)
    return ()


def _kind(key: str, value: str) -> str | None:
    """Name the kind of secret that a text holds by its shape, whatever its key."""
    if _AUTHORIZATION.search(_WORD_BREAK.sub("_", key)) and _CREDENTIALS.match(value):
        return "an Authorization header"
    if _holds_password(value):
        return "a password"
    return next((kind for kind, pattern in _TOKENS.items() if pattern.search(value)), None)


def _holds_password(text: str) -> bool:
    """Tell literals from columns: without quotes one is only an option, alone, or part of a DSN."""
    bare = False
    for found in _PASSWORD.finditer(text):
        if found["quoted"] or found["before"] == "--" or found.span() == (0, len(text)):
            return True
        bare = bare or not found["before"]
    return bare and _DSN.search(text) is not None


def redact(findings: list[Finding], data: Mapping[str, Any]) -> list[Finding]:
    """Take secrets out of what other checks say of the same values: they may quote them."""
    secrets = [(found.path, str(value_at(data, found.path))) for found in findings if found.code in _CODES]
    return [_redacted(found, secrets) for found in findings] if secrets else findings


def _redacted(finding: Finding, secrets: list[tuple[JsonPath, str]]) -> Finding:
    for path, secret in secrets:
        near = path[: len(finding.path)] == finding.path or len(secret) >= _TELLING
        if finding.code not in _CODES and near:
            message = finding.message.replace(secret, "(secret)")
            suggestion = finding.suggestion and finding.suggestion.replace(secret, "(secret)")
            finding = replace(finding, message=message, suggestion=suggestion)
    return finding
