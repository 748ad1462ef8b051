"""What a publish is told and what it tells: lookups, rules, results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from psycopg import sql

from windlass.warehouse.anomaly import AnomalyKind

__all__ = ["Lookup", "LookupOptions", "PublishResult", "Rule"]


class _Required(TypedDict):
    table: str
    column: str
    on: Mapping[str, str]


class LookupOptions(_Required, total=False):
    """A lookup as configs write it: the fields of `Lookup`."""

    valid_at: str | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where a target column's value is found, e.g. the surrogate key of a dimension.

    Attributes:
        table: Table to look in, `schema.name`.
        column: Its column that holds the value.
        on: Its columns that must equal columns of the candidate: `{lookup_column: candidate_column}`.
        valid_at: Candidate column with the time for which the value must hold
            (`valid_from <= valid_at < valid_to`), for dimensions with history.
    """

    table: str
    column: str
    on: Mapping[str, str]
    valid_at: str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The candidate columns it reads."""
        return (*self.on.values(), *([self.valid_at] if self.valid_at else ()))


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a row can be bad.

    Attributes:
        kind: The word for it.
        column: The column or columns concerned, joined by commas.
        reason: Text for people; `{value}` stands for what the row has in `shows`.
        shows: Candidate column whose value the reason shows.
        condition: SQL that is true for bad rows; None for rules that need other rows to decide.
    """

    kind: AnomalyKind
    column: str
    reason: str
    shows: str | None = None
    condition: sql.Composable | None = None


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What became of the rows: `landed = inserted + updated + unchanged + rejected`, always.

    Attributes:
        table: The target.
        landed: Rows in the source table.
        inserted: Rows new in the target.
        updated: Rows that were in the target with other values.
        unchanged: Rows that were in the target just so; nothing was written for them.
        rejected: Rows with problems; they are in `ops.rejected_row`.
        rejected_by_kind: Problems by kind. A row with two problems counts in both.
    """

    table: str
    landed: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    rejected_by_kind: Mapping[str, int] = field(default_factory=dict)

    @property
    def published(self) -> int:
        """Rows written to the target: inserted and updated."""
        return self.inserted + self.updated
