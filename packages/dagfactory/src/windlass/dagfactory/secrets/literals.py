"""Which names are those of secrets, and which values are secrets rather than stand for one kept elsewhere."""

from __future__ import annotations

import re
from functools import cache, lru_cache

__all__ = ["is_literal", "names_secret"]

_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = r"""(?: passw(?:or)?d | passphrase
    | (?:\A|[_.-]) (?: pwd | secret | token | credentials?
        | (?:api|access|private|secret|account|signing|encryption|fernet|auth)[_-]?key
        | (?:db|user|admin|root|mysql|pg|postgres|smtp|mail|ftp|sftp|redis|http|proxy|ssh|login|service)
          [_-]?pass
    )) \Z"""
_POINTERS = r"""(?:next|page|starting|continuation|resume|sync|delta|forward|backward
    |client|request|idempotency|lock|change
    |pad|eos|bos|unk|sep|cls|mask)[_-]token\Z"""
"""Tokens that say how far a list was read or which request it is, or that a language model reads."""

_STANDS_FOR = r"""\$(?:[$A-Za-z_{(@*0-9]|\Z) | ` | \{\{ | \{% | %[(s{] | <\( | @[./~{$(] | :\w+\Z | \?\Z
    | \{[\w.]*\}\Z
    | (?:env|file|fd|vault|op|ssm|secretsmanager|keyvault|arn|ref\+\w+):[\w/$]
    | <[^<>]*>\Z | \[[^\[\]]*\]\Z | \([^()]*\)\Z
    | (?: [*•\#_.…?-]+ | x{3,} )\Z
    | (?: change[-_ ]?(?:me|it) | replace[-_ ]?(?:me|this|it) | your(?:[-_ ]\w+)+ | todo | tbd | redacted
        | placeholder | none | null | nil | true | false | default | undefined | required | optional )\Z
    | (?:~|\.{1,2})/[\w./@-]*\Z
    | /(?:run|var|etc|opt|home|mnt|srv|tmp|usr|root|secrets?|vault|keys|data|app|files|workspace|dev)
      /[\w./@-]*\Z
    | @?[\w./~-]+\.(?:json|pem|key|p12|pfx|jks|crt|pub|txt|env|ini|ya?ml|toml)\Z
    """
_INSERTED = re.compile(r"\{\{|\{%|\$\{|\$\(|`")


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern once it is needed: it takes milliseconds, which most processes can do without."""
    return re.compile(text, re.IGNORECASE | re.VERBOSE)


@lru_cache(maxsize=4096)
def names_secret(name: str) -> bool:
    """Tell whether a key, an option or a variable is named as secrets are."""
    broken = _WORD_BREAK.sub("_", name)
    return _pattern(_NAME).search(broken) is not None and _pattern(_POINTERS).search(broken) is None


def is_literal(value: str) -> bool:
    """Tell whether a value is a secret itself: not empty, no reference, template, path or placeholder."""
    text = value.strip().strip("'\"")
    return bool(text) and _pattern(_STANDS_FOR).match(text) is None and _INSERTED.search(text) is None
