"""Migration files as data: version, name, group, checksum and how one runs, from its name and its bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property

from windlass.warehouse.errors import StatementError
from windlass.warehouse.transform.script import Script, Statement

__all__ = ["OURS", "BadFileError", "Migration", "parse_migration", "title"]

OURS = "windlass"
"""Name of the collection of migrations that the package ships."""

_NAME = re.compile(r"(?P<version>\d{4})_(?P<group>[a-z]+)(?:_[a-z0-9_]+)?\.sql")
_DIRECTIVE = re.compile(r"^[ \t]*--[ \t]*windlass:[ \t]*(?P<word>.*?)[ \t]*$", re.MULTILINE)
_NO_TRANSACTION = "no-transaction"


class BadFileError(ValueError):
    """A file cannot be a migration; the text says why, for the reader who gathers all that is wrong."""


def title(collection: str, name: str) -> str:
    """How a migration is told of: its name, and whose it is if it is not ours."""
    return name if collection == OURS else f"{collection}/{name}"


@dataclass(frozen=True)
class Migration:
    r"""One migration file.

    Attributes:
        version: The number its name begins with; the order of application within its collection.
        name: File name without suffix, e.g. `0001_ops`.
        group: The schema it belongs to, the first word after the number.
        sql: Its text, line ends as `\n`.
        collection: Whose it is: `windlass`, or the name of a team's folder.
    """

    version: int
    name: str
    group: str
    sql: str = field(repr=False)
    collection: str = OURS

    @property
    def title(self) -> str:
        """How it is told of: its name, and whose it is if it is not ours."""
        return title(self.collection, self.name)

    @property
    def key(self) -> tuple[str, int]:
        """Collection and version: the ledger's key."""
        return self.collection, self.version

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text in lower-case hex; a checkout with other line ends gives the same."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def transactional(self) -> bool:
        """Whether it runs in a transaction: unless its first line is `-- windlass: no-transaction`."""
        match = _DIRECTIVE.match(self.sql)
        return match is None or match["word"] != _NO_TRANSACTION

    def statements(self) -> tuple[Statement, ...]:
        """Its statements.

        Raises:
            StatementError: A quote or comment never ends, or a statement would end the transaction.
        """
        return Script(self.sql, name=f"{self.name}.sql").statements()


def parse_migration(name: str, content: bytes, *, collection: str = OURS) -> Migration:
    """Make a migration of a file.

    Args:
        name: The file's name.
        content: Its bytes.
        collection: Whose it is.

    Raises:
        BadFileError: It is misnamed, or its content cannot be run as a migration.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise BadFileError(
            "is not the name of a migration: name it NNNN_group.sql or NNNN_group_what_it_does.sql, "
            "e.g. 0005_ops_fence.sql"
        )
    migration = Migration(
        version=int(match["version"]),
        name=name.removesuffix(".sql"),
        group=match["group"],
        sql=_decoded(content),
        collection=collection,
    )
    _check_directives(migration)
    _check_statements(migration)
    return migration


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadFileError(
            f"is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}; save it as UTF-8"
        ) from error
    # libpq would send what stands before it and drop the rest without a word.
    if "\0" in text:
        raise BadFileError(f"holds a NUL character in line {text.count(chr(10), 0, text.index(chr(0))) + 1}")
    return text


def _check_directives(migration: Migration) -> None:
    for match in _DIRECTIVE.finditer(migration.sql):
        line = migration.sql.count("\n", 0, match.start()) + 1
        if match["word"] != _NO_TRANSACTION:
            raise BadFileError(
                f"has an unknown directive in line {line}: {match['word']!r}; "
                f"there is only {_NO_TRANSACTION!r}"
            )
        if match.start() != 0:
            raise BadFileError(f"says {_NO_TRANSACTION} in line {line}, where it is not seen: make it line 1")


def _check_statements(migration: Migration) -> None:
    try:
        count = len(migration.statements())
    except StatementError as error:
        message = error.message.split("\n", 1)[0].removeprefix(f"{error.file}:{error.line}:{error.column}: ")
        raise BadFileError(f"line {error.line}, column {error.column}: {message}") from error
    if count == 0:
        raise BadFileError("is empty: it holds no statement; delete it or fill it")
    if not migration.transactional and count > 1:
        raise BadFileError(
            f"holds {count} statements: without a transaction it must be one, which is done or not done; "
            "make a migration of each"
        )
