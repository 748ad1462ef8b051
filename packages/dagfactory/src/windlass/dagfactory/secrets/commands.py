"""Secrets in commands, SQL and connection strings: literals where a password or a token belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.dagfactory.secrets.found import Secret
from windlass.dagfactory.secrets.literals import is_literal, names_secret

__all__ = ["find_in_commands"]

_VALUE = r"""(?: (?P<quote>\\?["']) (?!(?P=quote)) (?P<quoted>[^\n]{1,500}?) (?P=quote)
    | (?P<bare> [^\s"'`;|&<>()\\-] [^\s"'`;|&<>()\\]{0,500}+ ) )"""
_FLAGS = re.IGNORECASE | re.VERBOSE

# Parameters of SQL, Jinja, shells and format strings stand for a password; they are none.
_PASSWORD = re.compile(
    r"""(?P<before>\b(?:and|or|where|set|on|when)\s+|,\s*|--)?
    (?<![\w./\\$]) (?:(?:ssl|pg)?password|passwd|pwd) (?: \s+=(?!=)\s* | =(?!=) )
    (?: (?P<quote>['"]) (?P<quoted>[^'"\s][^'"\n]{0,500})
      | (?!(?:null|none|true|false|default)\b) (?P<bare>[^\s'"`;&,()=<]++) (?![(]|=\w)
    )""",
    _FLAGS,
)
_DSN = re.compile(
    r"""(?:\A|[\s;'"?&])(?:host|hostaddr|port|dbname|database|user|username|uid|server|service|sslmode|driver)=""",
    re.IGNORECASE,
)
_SQL = re.compile(
    r"""\s*(?:--[^\n]*\n\s*|/\*.{0,2000}?\*/\s*)*
    (?:select|insert|update|delete|merge|create|alter|drop|grant|revoke|copy|call|truncate|with|begin)\b(?!\s*[=-])""",
    _FLAGS | re.DOTALL,
)
_LITERAL_IN_SQL = re.compile(
    r"""\b(?: (?:password|passwd|secret)\s+ (?:=\s*)?
        | identified\s+ (?:with\s+\w+\s+)? by\s+ (?:password\s+)?
        | (?:set\s+password|[a-z_]*(?:secret|access|private)[a-z_]*key|client_secret) [^'=;]{0,80}=\s* )
    [eE]?(?P<quote>')(?P<quoted>[^'\n]{1,500})'""",
    _FLAGS,
)
_ASSIGNED = re.compile(rf"(?<![\w$.\-/{{])(?P<name>[A-Za-z_]\w{{0,80}})=(?!=) {_VALUE}", re.VERBOSE)
_IN_SQL = re.compile(r"(?:secret|access)_?(?:access_)?key\Z", re.IGNORECASE)
_COMMAND_BEGINS = re.compile(
    r"""(?: \A\s* | [\n;|&({`"']\s*
    | \b(?:export|env|set|declare|typeset|readonly|local|then|do|else|exec|sudo)\s+
    | (?<!\w)-[eDx]\s* | --(?:env|build-arg|set|conf|var)[ =]\s*['"]? | (?<!\S)[A-Za-z_]\w*=\S*\s+ )\Z""",
    re.VERBOSE,
)
_FALLBACK = re.compile(r"\$\{(?P<name>[A-Za-z_]\w{0,80}):?[-=](?P<bare>[^{}$\n]{1,500})\}")
_OPTION = re.compile(rf"(?<![\w-])--?(?P<name>[A-Za-z][\w.-]{{1,80}})(?P<between>=|\s+) {_VALUE}", re.VERBOSE)
_QUOTED_KEY = re.compile(
    r"""(?P<outer>\\?["'])(?P<name>[\w.-]{1,80})(?P=outer)\s*:\s*
    (?P<quote>\\?["'])(?!(?P=quote))(?P<quoted>[^\n]{1,500}?)(?P=quote)""",
    re.VERBOSE,
)
_HEADER = re.compile(
    r"""\b(?:(?:proxy-)?authorization['"\\]{0,2}\s*:\s*['"\\]{0,2}(?:bearer|basic|token|digest|apikey)\s+
    |(?:x-[\w-]{0,40}(?:key|token|secret)|private-token|api-key)['"\\]{0,2}\s*:\s*['"\\]{0,2})
    (?P<bare>(?:\{\{|[^\s'"\\]){1,2000})""",
    _FLAGS,
)
_SHORT = re.compile(
    rf"(?<!\S)(?P<name>-[uUpaPw]|--user|--proxy-user|--userpwd)(?P<between>=|[ \t]*) {_VALUE}", re.VERBOSE
)
_TAKES = (
    (re.compile(r"\bcurl(?:\.exe)?\b"), ("-u", "-U", "--user", "--proxy-user"), re.compile(r"[^:]*:(.+)\Z")),
    (re.compile(r"\bhttps?\b(?!:)"), ("-a",), re.compile(r"[^:]*:(.+)\Z")),
    (re.compile(r"\blftp\b"), ("-u",), re.compile(r"[^,]*,(.+)\Z")),
    (re.compile(r"\bsmbclient\b"), ("-U",), re.compile(r"[^%]*%(.+)\Z")),
    (re.compile(r"\bsshpass\b"), ("-p",), None),
    (
        re.compile(r"\b(?:docker|podman|nerdctl|buildah|skopeo|helm\s+registry|az|oc)\s+login\b"),
        ("-p",),
        None,
    ),
    (re.compile(r"\bmongo(?:sh|dump|restore|import|export)?\b"), ("-p",), None),
    (re.compile(r"\bredis-cli\b"), ("-a",), None),
    (re.compile(r"\b(?:sqlcmd|bcp)\b"), ("-P",), None),
    (re.compile(r"\bldap(?:search|add|modify|whoami|delete)\b"), ("-w",), None),
)
_ATTACHED = re.compile(r"\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump)\b")
_OTHERS = tuple(
    re.compile(pattern, _FLAGS)
    for pattern in (
        rf"\blogin\s+\S{{1,200}}\s+password\s+{_VALUE}",  # a .netrc
        rf"(?<!\S)-pass(?:in|out|word)?\s+['\"]?pass:{_VALUE}",  # openssl
        rf"\b(?:echo|printf)\s+(?:-n\s+)?{_VALUE}\s*\|[^|;\n]{{0,300}}--?password-stdin\b",
    )
)
_PROGRAMS = re.compile(r"curl|http|lftp|smbclient|sshpass|login|mongo|redis|sqlcmd|bcp|ldap|mysql|maria")
_NAMES = re.compile(r"pass|pwd|secret|token|key|credential")
_BEFORE, _NEAR = 400, 80
_NO_VALUES = frozenset(
    {"and", "as", "for", "from", "if", "in", "is", "must", "of", "on", "or", "the", "to", "with"}
)
_NOT_AS_OPTION = re.compile(r"(?:\A|[_.-])(?:credentials?|private[_-]?key)\Z|\Ano-", re.IGNORECASE)


def find_in_commands(text: str) -> Iterator[Secret]:
    """Find literals in what may be a command, SQL, a DSN, a header or code in some language."""
    lowered = text.lower()
    if _PROGRAMS.search(lowered):
        yield from _short_options(text)
    if "authorization" in lowered or ("-" in text and _NAMES.search(lowered)):
        yield from _literals(_HEADER, text, "an Authorization header")
    if "identified" in lowered:
        yield from _literals(_LITERAL_IN_SQL, text, "a password")
    if not _NAMES.search(lowered):
        return
    yield from _passwords(text)
    yield from _literals(_LITERAL_IN_SQL, text, "a password")
    yield from _assigned(text, sql=_SQL.match(text) is not None)
    yield from _named(_FALLBACK, text)
    yield from _named(_QUOTED_KEY, text)
    yield from _options(text)
    for pattern in _OTHERS:
        yield from _literals(pattern, text, "a password")


def _span(found: re.Match[str]) -> tuple[int, int]:
    quoted = "quoted" in found.re.groupindex and found["quoted"] is not None
    return found.span("quoted" if quoted else "bare")


def _value(found: re.Match[str]) -> str:
    start, end = _span(found)
    return found.string[start:end]


def _literals(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Secret]:
    for found in pattern.finditer(text):
        if is_literal(_value(found)) and _value(found).lower() not in ("token", "header"):
            yield Secret(*_span(found), kind)


def _passwords(text: str) -> Iterator[Secret]:
    """Tell literals from columns: without quotes one is only an option, alone, or part of a DSN."""
    bare: list[Secret] = []
    for found in _PASSWORD.finditer(text):
        if not is_literal(_value(found)):
            continue
        secret = Secret(*_span(found), "a password")
        if found["quoted"] or found["before"] == "--" or found.span() == (0, len(text)):
            yield secret
        elif not found["before"]:
            bare.append(secret)
    if bare and _DSN.search(text):
        yield from bare


def _named(pattern: re.Pattern[str], text: str) -> Iterator[Secret]:
    for found in pattern.finditer(text):
        if names_secret(found["name"]) and is_literal(_value(found)):
            yield Secret(*_span(found), _kind(found["name"]))


def _kind(name: str) -> str:
    return "a password" if "pass" in name.lower() or "pwd" in name.lower() else "a secret"


def _assigned(text: str, *, sql: bool) -> Iterator[Secret]:
    for found in _ASSIGNED.finditer(text):
        name = found["name"]
        if not names_secret(name) or not is_literal(_value(found)):
            continue
        if (sql and not _IN_SQL.search(name)) or name.lower().endswith(("credential", "credentials")):
            continue  # a column, or the name of an object or a file
        before = text[max(0, found.start() - _NEAR) : found.start()]
        if found["quoted"] is None and not _COMMAND_BEGINS.search(before):
            continue
        alone = found.span() == (0, len(text))
        if found["quoted"] is None and alone and not name.isupper():
            continue  # a filter, or a partition of a table
        yield Secret(*_span(found), _kind(name))


def _options(text: str) -> Iterator[Secret]:
    for found in _OPTION.finditer(text):
        name, value = found["name"], _value(found)
        if not names_secret(name) or _NOT_AS_OPTION.search(name) or not is_literal(value):
            continue
        if found["between"] != "=" and value.lower() in _NO_VALUES:
            continue
        if name.lower().endswith("secret") and _names_one(text, found, value):
            continue
        yield Secret(*_span(found), _kind(name))


def _names_one(text: str, found: re.Match[str], value: str) -> bool:
    """Tell whether an option names a secret that is kept elsewhere, as docker's and gcloud's do."""
    return (
        "gcloud" in _command_before(text, found.start())
        or re.match(r"(?:id|type|name)=|\w+:", value) is not None
    )


def _short_options(text: str) -> Iterator[Secret]:
    for found in _SHORT.finditer(text):
        value, option = _value(found), found["name"]
        start, end = _span(found)
        command = _command_before(text, found.start())
        for program, options, part in _TAKES:
            if option in options and program.search(command):
                inside = part.match(value) if part else None
                if part and inside is None:
                    continue
                secret = inside[1] if inside else value
                if is_literal(secret):
                    yield Secret(end - len(secret), end, "a password")
        if option == "-p" and found["between"] == "" and _ATTACHED.search(command) and is_literal(value):
            yield Secret(start, end, "a password")


def _command_before(text: str, at: int) -> str:
    """Cut out the command in which an option stands, up to the option."""
    before = text[max(0, at - _BEFORE) : at].replace("\\\n", "  ")
    return re.split(r"[;|\n]|&&", before)[-1]
