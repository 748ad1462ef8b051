"""What an application of SCD2 is told and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, TypeAlias

__all__ = ["Mode", "Period", "Scd2Result", "Source", "Tally"]

Mode: TypeAlias = Literal["snapshot", "changes"]


@dataclass(frozen=True, slots=True)
class Period:
    """The columns of a dimension that tell when a version holds.

    Attributes:
        valid_from: From when, inclusive.
        valid_to: Until when, exclusive.
        is_current: Whether the version is open; None when the dimension has no such column.
    """

    valid_from: str = "valid_from"
    valid_to: str = "valid_to"
    is_current: str | None = "is_current"


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the query's rows; of keys that are not in a snapshot, too."""

    inserted: int = 0
    changed: int = 0
    reappeared: int = 0
    deleted: int = 0
    unchanged: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class Scd2Result:
    """What an application did.

    In a snapshot `rows = inserted + changed + reappeared + unchanged`, and `deleted` are keys beside them.
    Among changes every row counts once: `rows = inserted + changed + reappeared + deleted + unchanged`.

    Attributes:
        table: The dimension.
        mode: How its history is kept.
        as_of: Instant of the snapshot, ISO 8601; None for changes.
        rows: Rows the query gave.
        inserted: Keys that had no version before.
        changed: Rows that differ from what was known of their key for that time.
        reappeared: Keys that come again after they were gone.
        deleted: Keys that are gone from then on.
        unchanged: Rows that say what was known.
        late: Rows that took their place before something that was known already.
    """

    table: str
    mode: Mode
    as_of: str | None
    rows: int
    inserted: int
    changed: int
    reappeared: int
    deleted: int
    unchanged: int
    late: int

    @classmethod
    def of(cls, tally: Tally, *, table: str, mode: Mode, as_of: str | None, rows: int) -> Scd2Result:
        """A result with the counts of a tally."""
        counts = {item.name: getattr(tally, item.name) for item in fields(tally)}
        return cls(table=table, mode=mode, as_of=as_of, rows=rows, **counts)


@dataclass(frozen=True, slots=True)
class Source:
    """Columns of the query that are not the dimension's.

    Attributes:
        effective_at: From when the row holds; None for a snapshot.
        since: From when all rows hold, if no column tells: that of an incomplete snapshot.
        deleted: Whether the row tells of a deletion; None when none does.
        track: Columns whose change begins a version; None for all but the key.
    """

    effective_at: str | None = None
    since: datetime | None = None
    deleted: str | None = None
    track: Sequence[str] | None = None
