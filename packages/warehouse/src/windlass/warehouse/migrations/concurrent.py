"""What a migration without a transaction can leave: indexes half made, which PostgreSQL calls invalid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from windlass.warehouse.errors import MigrationFailedError, MigrationUnfinishedError
from windlass.warehouse.migrations.files import Migration
from windlass.warehouse.migrations.ledger import Connection

__all__ = ["Leftovers"]

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_CREATE_INDEX = re.compile(
    rf"\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?"
    rf"(?:(?!on\b)(?P<index>{_PART})\s*)?\bon\s+(?:only\s+)?(?P<table>{_PART}(?:\s*\.\s*{_PART})*)",
    re.IGNORECASE,
)

# An index that another session builds at this moment is invalid too, and nobody's leftover.
_INVALID = """
select i.indexrelid::regclass::text
from pg_index as i
where not i.indisvalid
  and not exists (
    select from pg_stat_progress_create_index as p
    where p.index_relid = i.indexrelid and p.pid <> pg_backend_pid()
  )
order by 1
"""
_INDEX = """
select i.indexrelid::regclass::text, i.indisvalid
from pg_class as t
join pg_class as c on c.relnamespace = t.relnamespace and c.relname = (parse_ident(%s))[1]
join pg_index as i on i.indexrelid = c.oid
where t.oid = to_regclass(%s)
"""


@dataclass(frozen=True)
class Leftovers:
    """The invalid indexes there were before a migration, and the one it makes.

    Attributes:
        connection: A connection in autocommit.
        migration: The migration.
        before: Names of the invalid indexes before it ran.
        index: Name of the index it makes, if that exists already.
        is_done: Whether that index exists and is valid.
    """

    connection: Connection
    migration: Migration
    before: frozenset[str]
    index: str | None
    is_done: bool

    @classmethod
    def look(cls, connection: Connection, migration: Migration) -> Leftovers:
        """Look at the database before a migration runs.

        Raises:
            MigrationFailedError: It makes an index without a name, which could not be found again.
        """
        found: tuple[Any, ...] | None = None
        match = _CREATE_INDEX.match(_COMMENT.sub(" ", migration.sql))
        if match is not None:
            if match["index"] is None:
                raise MigrationFailedError(
                    f"Migration {migration.title} makes an index without a name, and was not run.",
                    migration=migration.title,
                    advice="Name the index: what a stopped run left is found by its name.",
                )
            found = connection.execute(_INDEX, (match["index"], match["table"])).fetchone()
        index, valid = found if found is not None else (None, False)
        return cls(connection, migration, _invalid_indexes(connection), index, valid)

    def refuse_invalid(self) -> None:
        """Stop before the migration runs if its index is there, half made by an earlier run."""
        if self.index is not None and not self.is_done:
            raise self._unfinished("cannot run: an earlier run was stopped half way", (self.index,))

    def refuse_new(self, error: psycopg.Error, holders: Sequence[str]) -> None:
        """Stop after the migration failed if it left invalid indexes.

        Args:
            error: Why it failed.
            holders: Who kept it waiting.
        """
        left = tuple(sorted(_invalid_indexes(self.connection) - self.before))
        if left:
            reason = ": ".join((f"failed: {error.diag.message_primary or error}", *holders))
            raise self._unfinished(reason, left) from error

    def _unfinished(self, what: str, left: tuple[str, ...]) -> MigrationUnfinishedError:
        drops = " ".join(f"drop index concurrently {name};" for name in left)
        return MigrationUnfinishedError(
            f"Migration {self.migration.title} {what}. It runs outside a transaction and has left "
            f"invalid: {', '.join(left)}.",
            migration=self.migration.title,
            leftovers=left,
            advice=f"Queries do not use an invalid index, but writes pay for it. Run in psql: {drops} "
            "Mend what the message names, then run migrate again.",
        )


def _invalid_indexes(connection: Connection) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute(_INVALID).fetchall())
