"""Notifications, recorded before they are sent: `ops.notification_log`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import class_row

from windlass.warehouse.bookkeeping import bookkeeping_needed
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.records.values import as_row

__all__ = [
    "Notification",
    "NotificationStatus",
    "find_notification",
    "record_attempt",
    "record_notification",
]


class NotificationStatus(StrEnum):
    """Where a notification stands; `unknown` when the connection was lost after it was sent."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification.

    Attributes:
        idempotency_key: Names it once and for all; the generation is part of it where a task is.
        channel: How it is sent, e.g. `email`.
        event: What it tells of, e.g. `on_failure`.
        status: Where it stands.
        attempts: How often delivery was tried.
        destination: Where it goes, without credentials.
        subject: Its subject line.
        message: Its text.
        last_error: Why the last attempt failed.
        created_at: When it was first recorded.
        updated_at: When its status last changed.
    """

    idempotency_key: str
    channel: str
    event: str
    status: NotificationStatus
    attempts: int
    destination: str | None
    subject: str | None
    message: str | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", NotificationStatus(self.status))


# Not fenced: an event of a DAG run has no task, and what a given-up try reports is told once either way.
_RECORD = """
insert into ops.notification_log (
    idempotency_key, channel, event, dag_id, run_id, task_id, map_index, status, destination, subject, message
)
values (
    %(idempotency_key)s, %(channel)s, %(event)s, %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s,
    'pending', %(destination)s, %(subject)s, %(message)s
)
on conflict do nothing
"""
_FIND = """
select idempotency_key, channel, event, status, attempts, destination, subject, message, last_error,
    created_at, updated_at
from ops.notification_log where idempotency_key = %s
"""
_ATTEMPT = """
update ops.notification_log
set status = %(status)s, attempts = attempts + 1, last_error = %(error)s, updated_at = now()
where idempotency_key = %(idempotency_key)s and status <> 'sent'
"""


def record_notification(
    connection: psycopg.Connection[Any],
    *,
    idempotency_key: str,
    channel: str,
    event: str,
    context: RunContext = NO_TASK,
    destination: str | None = None,
    subject: str | None = None,
    message: str | None = None,
) -> bool:
    """Record a notification before it is sent.

    Args:
        connection: Connection to the warehouse.
        idempotency_key: Names it once and for all.
        channel: How it is sent.
        event: What it tells of.
        context: The DAG run or task it tells of.
        destination: Where it goes, without credentials.
        subject: Its subject line.
        message: Its text.

    Returns:
        Whether it is new; False when it was recorded before: look where it stands instead of sending.

    Raises:
        LoadError: The warehouse has no bookkeeping.
    """
    row = {
        "idempotency_key": idempotency_key,
        "channel": channel,
        "event": event,
        "destination": destination,
        "subject": subject,
        "message": message,
        **context.parameters(),
    }
    with bookkeeping_needed("recording notifications"), connection.transaction():
        return connection.execute(_RECORD, as_row(row)).rowcount == 1


def record_attempt(
    connection: psycopg.Connection[Any],
    idempotency_key: str,
    status: NotificationStatus,
    *,
    error: str | None = None,
) -> bool:
    """Note how an attempt to deliver ended; what was sent stays sent.

    Args:
        connection: Connection to the warehouse.
        idempotency_key: The notification.
        status: How the attempt ended.
        error: Why it failed, without credentials.

    Returns:
        Whether it was noted; False when there is no such notification or it had been sent.
    """
    row = {"idempotency_key": idempotency_key, "status": status, "error": error}
    with bookkeeping_needed("recording notifications"), connection.transaction():
        return connection.execute(_ATTEMPT, as_row(row)).rowcount == 1


def find_notification(connection: psycopg.Connection[Any], idempotency_key: str) -> Notification | None:
    """Find a notification by its key.

    Args:
        connection: Connection to the warehouse.
        idempotency_key: The notification.
    """
    with (
        bookkeeping_needed("finding notifications"),
        connection.cursor(row_factory=class_row(Notification)) as cursor,
    ):
        return cursor.execute(_FIND, [idempotency_key]).fetchone()
