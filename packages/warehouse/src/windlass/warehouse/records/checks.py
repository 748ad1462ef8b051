"""Outcomes of data-quality checks: `ops.quality_check_result`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import class_row

from windlass.warehouse.bookkeeping import bookkeeping_needed, require_task
from windlass.warehouse.fence import writing
from windlass.warehouse.identity import RunContext, TaskIdentity
from windlass.warehouse.records.values import as_jsonb, as_row

__all__ = ["CheckResult", "CheckStatus", "read_check_results", "write_check_results"]


class CheckStatus(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        check_name: Name of the check in its suite.
        check_kind: Kind of anomaly it looks for, e.g. `missing_day`.
        table_name: Table checked, `schema.name`.
        status: How it ended; `error` when it could not run.
        column_name: Column checked; None for a check of the table.
        object_key: What the finding is about (a day, a partition); None for a check of the whole.
        observed: What was measured, as JSON.
        expected: What was asked for, as JSON.
        message: One sentence for people.
    """

    check_name: str
    check_kind: str
    table_name: str
    status: CheckStatus
    column_name: str | None = None
    object_key: str | None = None
    observed: Any = None
    expected: Any = None
    message: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", CheckStatus(self.status))


_WRITE = """
insert into ops.quality_check_result as r (
    dag_id, run_id, task_id, map_index, try_number, max_tries, ti_id, generation,
    check_name, check_kind, table_name, column_name, object_key, status, observed, expected, message
)
values (
    %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s, %(try_number)s, %(max_tries)s, %(ti_id)s,
    %(generation)s, %(check_name)s, %(check_kind)s, %(table_name)s, %(column_name)s, %(object_key)s,
    %(status)s, %(observed)s, %(expected)s, %(message)s
)
on conflict on constraint quality_check_result_identity do update
set check_kind = excluded.check_kind, status = excluded.status, observed = excluded.observed,
    expected = excluded.expected, message = excluded.message, checked_at = now(),
    try_number = excluded.try_number, max_tries = excluded.max_tries, ti_id = excluded.ti_id
"""
_READ = """
select check_name, check_kind, table_name, status, column_name, object_key, observed, expected, message
from ops.quality_check_result
where (dag_id, run_id, task_id, map_index) = (%(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)
    and generation = %(generation)s
order by result_id
"""


def write_check_results(
    connection: psycopg.Connection[Any], results: Iterable[CheckResult], *, context: RunContext
) -> int:
    """Write the outcomes of a task's checks, all in one transaction; a retry's replace the earlier try's.

    Args:
        connection: Connection to the warehouse.
        results: The outcomes. Two of the same check, table, column and object are one: the later.
        context: The task that checked.

    Returns:
        How many were written.

    Raises:
        FencedError: A later try of the task has taken over.
        LoadError: There is no task, or the warehouse has no bookkeeping.
    """
    require_task(context, "A check's result")
    rows = [
        {
            **context.parameters(),
            **asdict(each),
            "try_number": context.try_number or 1,
            "observed": as_jsonb(each.observed),
            "expected": as_jsonb(each.expected),
        }
        for each in results
    ]
    with bookkeeping_needed("keeping check results"), writing(connection, context):
        connection.cursor().executemany(_WRITE, [as_row(row) for row in rows])
    return len(rows)


def read_check_results(
    connection: psycopg.Connection[Any], identity: TaskIdentity, *, generation: int = 1
) -> Sequence[CheckResult]:
    """Read what a task instance's checks found, in the order they were written.

    Args:
        connection: Connection to the warehouse.
        identity: The task instance.
        generation: Which of the times its work was wanted.
    """
    with (
        bookkeeping_needed("reading check results"),
        connection.cursor(row_factory=class_row(CheckResult)) as cursor,
    ):
        return cursor.execute(_READ, {**asdict(identity), "generation": generation}).fetchall()
