"""Secrets that show by their own shape, wherever they stand: tokens of services, URLs with passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.dagfactory.secrets.found import Secret
from windlass.dagfactory.secrets.literals import is_literal

__all__ = ["find_tokens"]

# Each is anchored where a token begins, so that no text is scanned more than once.
_SHAPES = {
    "an AWS access key": (("AKIA", "ASIA"), r"(?<![A-Za-z0-9])A[KS]IA[0-9A-Z]{16}(?![A-Za-z0-9])"),
    "a GitHub token": (
        ("gh", "github_pat_"),
        r"(?<![A-Za-z0-9_])(?:gh[opusr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255})",
    ),
    "a GitLab token": (("glpat-",), r"(?<![\w-])glpat-[\w-]{20,64}"),
    "a Slack token": (("xox",), r"(?<![\w-])xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    "a Google API key": (("AIza",), r"(?<![\w-])AIza[\w-]{35}(?![\w-])"),
    "a Stripe key": (("k_live_",), r"(?<!\w)[rs]k_live_[A-Za-z0-9]{16,250}"),
    "an npm token": (("npm_",), r"(?<!\w)npm_[A-Za-z0-9]{36}(?!\w)"),
    "a PyPI token": (("pypi-",), r"(?<![\w-])pypi-AgE[\w-]{50,500}"),
    "a Vault token": (("hvs.",), r"(?<![\w.])hvs\.[\w-]{24,250}"),
    "a Hugging Face token": (("hf_",), r"(?<!\w)hf_[A-Za-z0-9]{30,60}(?!\w)"),
    "a Databricks token": (("dapi",), r"(?<!\w)dapi[0-9a-f]{32}(?:-\d)?(?!\w)"),
    "a SendGrid key": (("SG.",), r"(?<![\w.])SG\.[\w-]{16,32}\.[\w-]{32,64}"),
    "a Telegram bot token": ((":AA",), r"(?<!\d)\d{8,10}:AA[\w-]{32,36}(?![\w-])"),
    "a private key": (
        ("-----B",),
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [^-]{0,60}-----|\Z)",
    ),
    "a JSON Web Token": (
        ("eyJ",),
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+",
    ),
}
_PATTERNS = {
    kind: (
        hints,
        re.compile(re.sub(r"\A(\(\?<![^)]*\))", r"(?:\1|(?<=\\\\[nrt]))", pattern)),
    )  # after an escape too
    for kind, (hints, pattern) in _SHAPES.items()
}
_PASSWORD_IN_URL = re.compile(
    r"""\b[a-z][a-z0-9+.-]{0,30}://[^\s/@:"]{0,250}:(?P<secret>(?:\{\{.{0,200}?\}\}|[^\s/"]){1,1000})@""",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"""[?&](?:(?:access|auth|private)_?token|token|api[_-]?key|passw(?:or)?d|pwd|(?:client_?)?secret|sig(?=[^&\s]{20})|signature(?=[^&\s]{20}))
    =(?P<secret>[^\s&\#"'<>`)|;]{1,1000})""",
    re.IGNORECASE | re.VERBOSE,
)
_WEBHOOK = re.compile(
    r"""://(?:hooks\.slack\.com/(?:services|workflows)/|[\w.-]{1,80}\.webhook\.office\.com/webhookb2/
    |(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/)(?P<secret>[\w@/-]{20,300})""",
    re.IGNORECASE | re.VERBOSE,
)
_URLS = {"a password": _PASSWORD_IN_URL, "a token": _QUERY, "a webhook's token": _WEBHOOK}


def find_tokens(text: str) -> Iterator[Secret]:
    """Find secrets that show by their own shape."""
    for kind, (hints, pattern) in _PATTERNS.items():
        if any(hint in text for hint in hints):
            for found in pattern.finditer(text):
                yield Secret(*found.span(), kind)
    if "://" in text:
        for kind, pattern in _URLS.items():
            for found in pattern.finditer(text):
                if is_literal(found["secret"]):
                    yield Secret(*found.span("secret"), kind, in_url=True)
