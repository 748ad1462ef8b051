"""Which of the known migrations a run is about: groups, and how far."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from windlass.warehouse.errors import MigrationError
from windlass.warehouse.migrations.files import Migration

__all__ = ["select_migrations"]


def select_migrations(
    known: Sequence[Migration], *, only: Collection[str] = (), to: str | None = None
) -> tuple[Migration, ...]:
    """Choose migrations.

    Args:
        known: All of them in the order of application.
        only: Groups to keep; by default all. `ops` holds the ledger and always comes along.
        to: The last one to keep: `0003`, `3` or `0003_staging`, with `COLLECTION/` before it where several
            collections have it.

    Returns:
        Those chosen, in the same order.

    Raises:
        MigrationError: There is no such group or migration, or several.
    """
    last = len(known) if to is None else _position(known, to) + 1
    groups = _groups(known, only)
    return tuple(each for each in known[:last] if each.group in groups)


def _groups(known: Sequence[Migration], only: Collection[str]) -> set[str]:
    existing = {migration.group for migration in known}
    unknown = sorted(set(only) - existing)
    if unknown:
        raise MigrationError(
            f"There are no migrations of {', '.join(unknown)}.",
            advice=f"Choose among: {', '.join(sorted(existing))}.",
        )
    return {*only, "ops"} if only else existing


def _position(known: Sequence[Migration], to: str) -> int:
    collection, _, word = to.rpartition("/")
    found = [
        position
        for position, each in enumerate(known)
        if (not collection or each.collection == collection) and _is_called(each, word)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise MigrationError(
            f"There is no migration {to}.", advice=f"Choose among: {', '.join(each.title for each in known)}."
        )
    choices = ", ".join(f"{known[each].collection}/{known[each].name}" for each in found)
    raise MigrationError(f"{to} can be several migrations.", advice=f"Say which: {choices}.")


def _is_called(migration: Migration, word: str) -> bool:
    return word == migration.name or (word.isascii() and word.isdecimal() and int(word) == migration.version)
