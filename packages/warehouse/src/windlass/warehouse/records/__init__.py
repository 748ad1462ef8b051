"""What operators did, written to `ops` before they raise or return, so that a retry finds it.

Each record is a frozen dataclass whose fields are the table's columns, and its writers are idempotent by
the record's key: writing the same again, or again after a retry, leaves one row. Whoever works (`RunContext`)
gives the task instance, its try and its generation.
"""

from __future__ import annotations

from windlass.warehouse.records.checks import (
    CheckResult,
    CheckStatus,
    read_check_results,
    write_check_results,
)
from windlass.warehouse.records.notifications import (
    Notification,
    NotificationStatus,
    find_notification,
    record_attempt,
    record_notification,
)
from windlass.warehouse.records.submissions import (
    SparkSubmission,
    SubmissionState,
    find_submission,
    record_submission,
    update_submission,
)

__all__ = [
    "CheckResult",
    "CheckStatus",
    "Notification",
    "NotificationStatus",
    "SparkSubmission",
    "SubmissionState",
    "find_notification",
    "find_submission",
    "read_check_results",
    "record_attempt",
    "record_notification",
    "record_submission",
    "update_submission",
    "write_check_results",
]
