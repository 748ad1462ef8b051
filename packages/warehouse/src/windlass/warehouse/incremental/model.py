"""What an incremental load is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IncrementalResult", "Transaction"]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of the source that has not ended.

    Attributes:
        name: Its virtual transaction id, e.g. `5/212`, or the identifier it was prepared with.
        prepared: Whether it is prepared for a two-phase commit: it has no session and survives restarts.
        pid: Process id of its session.
        since: When it began, ISO 8601; None where the role may not see it.
        application: `application_name` of its session.
        role: Who runs it.
        state: State of its session, e.g. `idle in transaction`; None where the role may not see it.
    """

    name: str
    prepared: bool = False
    pid: int | None = None
    since: str | None = None
    application: str | None = None
    role: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class IncrementalResult:
    """What an incremental load did; positions as text, as `windlass-warehouse watermark` shows them.

    Attributes:
        table: The table loaded.
        read: Rows read from the source, those of earlier loads that were read again among them.
        inserted: Rows that were new to the table.
        updated: Rows that differed from the table's row of the same key.
        unchanged: Rows that were in the table already, just so.
        superseded: Rows read that a newer row of the same key replaced.
        without_watermark: Rows read whose watermark is null; they are read by every load.
        watermark_before: The watermark this load found, None when it was the first.
        watermark_after: The watermark it left.
        pending: A higher position, which becomes the watermark once `held_back` transactions have ended.
        held_back: How many transactions in flight keep the watermark from moving to `pending`.
        oldest: The oldest of them that still has a session or is prepared.
        started_over: Whether the table had been emptied or created anew, so that all was read again.
    """

    table: str
    read: int
    inserted: int
    updated: int
    unchanged: int
    superseded: int
    without_watermark: int
    watermark_before: str | None
    watermark_after: str | None
    pending: str | None
    held_back: int
    oldest: Transaction | None
    started_over: bool
