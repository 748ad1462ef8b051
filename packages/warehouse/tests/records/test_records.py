"""Records are one row each, whoever writes them how often, and a given-up try writes none."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from windlass.warehouse.errors import FencedError, LoadError
from windlass.warehouse.fence import take_fence
from windlass.warehouse.identity import NO_TASK, RunContext
from windlass.warehouse.records import (
    CheckResult,
    CheckStatus,
    NotificationStatus,
    SubmissionState,
    find_notification,
    find_submission,
    read_check_results,
    record_attempt,
    record_notification,
    record_submission,
    update_submission,
    write_check_results,
)

pytestmark = pytest.mark.integration

RUN = RunContext(
    "sales",
    "manual__1",
    "check",
    2,
    try_number=1,
    max_tries=2,
    ti_id=uuid.UUID("01900001-0000-7000-8000-000000000000"),
)
RETRY = replace(RUN, try_number=2, ti_id=uuid.UUID("01900002-0000-7000-8000-000000000000"))
CLEARED = replace(RETRY, generation=2, try_number=3, ti_id=uuid.UUID("01900003-0000-7000-8000-000000000000"))


@pytest.fixture
def connection(warehouse) -> Iterator:
    with warehouse.connect(autocommit=True) as connection:
        yield connection


def result(**changes) -> CheckResult:
    first = CheckResult(
        check_name="days",
        check_kind="missing_day",
        table_name="staging.sale",
        status=CheckStatus.FAILED,
        column_name="sold_on",
        object_key="2024-02-29",
        observed={"rows": 0},
        expected=[1, None],
        message="No sales on 2024-02-29.",
    )
    return replace(first, **changes)


class TestChecks:
    def test_a_result_is_read_as_it_was_written(self, connection):
        written = [
            result(),
            result(column_name=None, object_key=None, observed=None, status=CheckStatus.PASSED),
        ]
        assert write_check_results(connection, written, context=RUN) == 2
        assert read_check_results(connection, RUN.identity) == written
        stored = "select map_index, try_number, max_tries, ti_id from ops.quality_check_result limit 1"
        assert connection.execute(stored).fetchone() == (2, 1, 2, RUN.ti_id)

    def test_a_retry_replaces_and_a_clear_adds(self, connection):
        write_check_results(connection, [result()], context=RUN)
        passed = result(status=CheckStatus.PASSED, observed={"rows": 3})
        write_check_results(connection, [passed], context=RETRY)
        assert read_check_results(connection, RUN.identity) == [passed]
        write_check_results(connection, [result()], context=CLEARED)
        assert read_check_results(connection, RUN.identity) == [passed]
        assert read_check_results(connection, RUN.identity, generation=2) == [result()]

    def test_one_bad_result_keeps_all_out(self, connection):
        with pytest.raises(Exception, match="null value"):
            write_check_results(connection, [result(), result(check_name=None)], context=RUN)
        assert read_check_results(connection, RUN.identity) == []

    def test_what_databases_measure_is_kept_as_json(self, connection):
        measured = {
            "mean": Decimal("1.25"),
            "rows": Decimal(3),
            "worst": [float("nan"), float("inf"), -math.inf, Decimal("NaN")],
            "since": datetime(2024, 2, 29, 1, tzinfo=UTC),
            "day": date(2024, 2, 29),
            "lasted": timedelta(seconds=90),
            "run": uuid.UUID(int=1),
            "status": CheckStatus.FAILED,
            "nul\0": "a\0b",
        }
        write_check_results(connection, [result(observed=measured)], context=RUN)
        (read,) = read_check_results(connection, RUN.identity)
        assert read.observed == {
            "mean": 1.25,
            "rows": 3,
            "worst": ["NaN", "Infinity", "-Infinity", "NaN"],
            "since": "2024-02-29T01:00:00+00:00",
            "day": "2024-02-29",
            "lasted": "0:01:30",
            "run": "00000000-0000-0000-0000-000000000001",
            "status": "failed",
            "nul\ufffd": "a\ufffdb",
        }

    def test_what_cannot_be_kept_is_told(self, connection):
        with pytest.raises(LoadError, match="object cannot be kept as JSON") as refused:
            write_check_results(connection, [result(observed=object())], context=RUN)
        assert "text" in refused.value.advice

    def test_outside_a_task_it_is_refused(self, connection):
        with pytest.raises(LoadError, match="belongs to a task") as refused:
            write_check_results(connection, [result()], context=NO_TASK)
        assert "RunContext" in refused.value.advice


class TestSubmissions:
    def submit(self, connection, context=RUN):
        return record_submission(
            connection, backend="yarn", job_name="sales", parameters={"args": [1]}, context=context
        )

    def test_a_retry_finds_the_job_of_the_try_before_it(self, connection):
        first, is_new = self.submit(connection)
        assert (is_new, first.state, first.parameters) == (True, SubmissionState.SUBMITTING, {"args": [1]})
        update_submission(
            connection, first.submission_id, SubmissionState.RUNNING, external_id="app_1", context=RUN
        )
        again, is_new = self.submit(connection, RETRY)
        assert (is_new, again.submission_id, again.external_id) == (False, first.submission_id, "app_1")
        assert find_submission(connection, RUN.identity) == again

    def test_a_clear_submits_anew(self, connection):
        first, _ = self.submit(connection)
        second, is_new = self.submit(connection, CLEARED)
        assert (is_new, second.generation) == (True, 2)
        assert second.submission_id != first.submission_id
        assert find_submission(connection, RUN.identity, generation=3) is None

    def test_what_is_known_stays_and_a_final_state_is_final(self, connection):
        job, _ = self.submit(connection)
        note = {"submission_id": job.submission_id, "context": RUN}
        assert update_submission(connection, state=SubmissionState.SUBMITTED, external_id="app_1", **note)
        assert update_submission(connection, state=SubmissionState.SUCCEEDED, metrics={"rows": 3}, **note)
        assert not update_submission(connection, state=SubmissionState.RUNNING, **note)
        assert update_submission(connection, state=SubmissionState.SUCCEEDED, message="Done.", **note)
        found = find_submission(connection, RUN.identity)
        assert (found.state, found.external_id, found.metrics, found.message) == (
            SubmissionState.SUCCEEDED,
            "app_1",
            {"rows": 3},
            "Done.",
        )
        assert found.state.is_final
        assert found.finished_at is not None

    def test_a_given_up_try_notes_nothing(self, connection):
        job, _ = self.submit(connection)
        take_fence(connection, RETRY)
        with pytest.raises(FencedError):
            update_submission(connection, job.submission_id, SubmissionState.FAILED, context=RUN)
        with pytest.raises(FencedError):
            self.submit(connection, replace(RUN, generation=2))
        assert find_submission(connection, RUN.identity).state is SubmissionState.SUBMITTING


class TestNotifications:
    KEY = "sales/manual__1/on_failure/email"

    def record(self, connection) -> bool:
        return record_notification(
            connection,
            idempotency_key=self.KEY,
            channel="email",
            event="on_failure",
            context=RunContext("sales", "manual__1"),
            destination="data@example.org",
            subject="Failed",
        )

    def test_it_is_new_once(self, connection):
        assert [self.record(connection), self.record(connection)] == [True, False]
        found = find_notification(connection, self.KEY)
        assert (found.status, found.attempts, found.subject) == (NotificationStatus.PENDING, 0, "Failed")

    def test_what_was_sent_stays_sent(self, connection):
        self.record(connection)
        assert record_attempt(connection, self.KEY, NotificationStatus.FAILED, error="451 later")
        assert find_notification(connection, self.KEY).last_error == "451 later"
        assert record_attempt(connection, self.KEY, NotificationStatus.SENT)
        assert not record_attempt(connection, self.KEY, NotificationStatus.FAILED, error="again")
        found = find_notification(connection, self.KEY)
        assert (found.status, found.attempts, found.last_error) == (NotificationStatus.SENT, 2, None)

    def test_what_is_no_text_is_kept_as_far_as_it_is(self, connection):
        self.record(connection)
        record_attempt(connection, self.KEY, NotificationStatus.FAILED, error="a\0b\ud800c\U0001f600")
        assert find_notification(connection, self.KEY).last_error == "a\ufffdb\ufffdc\U0001f600"

    def test_one_that_nobody_recorded_is_not_found(self, connection):
        assert find_notification(connection, "no such") is None
        assert not record_attempt(connection, "no such", NotificationStatus.SENT)
