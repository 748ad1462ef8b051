"""Log lines say which try they are of, and why it failed."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import psycopg
import pytest
import structlog
from structlog.testing import CapturingLogger

from windlass.warehouse.context import describe_error, log_context
from windlass.warehouse.errors import LoadError
from windlass.warehouse.identity import NO_TASK, RunContext

pytestmark = pytest.mark.unit

RUN = RunContext(
    "sales",
    "manual__1",
    "load",
    3,
    try_number=2,
    logical_date=datetime(2026, 1, 2, tzinfo=UTC),
    ti_id=uuid.UUID(int=1),
)
FIELDS = {
    "dag_id": "sales",
    "run_id": "manual__1",
    "task_id": "load",
    "map_index": 3,
    "attempt": 2,
    "logical_date": "2026-01-02T00:00:00+00:00",
}


@pytest.fixture
def lines(monkeypatch):
    """The events logged, as the JSON lines that Airflow writes."""
    captured = CapturingLogger()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()],
        logger_factory=lambda *_: captured,
        cache_logger_on_first_use=False,
    )
    yield lambda: [json.loads(call.args[0]) for call in captured.calls]
    structlog.configure(**before)


def test_every_line_inside_names_the_try_and_none_outside(lines):
    log = structlog.get_logger()
    with log_context(RUN):
        log.info("rows_loaded", rows=3)
    log.info("later")
    assert lines() == [{"event": "rows_loaded", "rows": 3, **FIELDS}, {"event": "later"}]


def test_what_was_bound_before_is_bound_again(lines):
    with structlog.contextvars.bound_contextvars(dag_id="outer", host="a"):
        with log_context(RUN):
            structlog.get_logger().info("inner")
        structlog.get_logger().info("outer")
    inner, outer = lines()
    assert inner == {"event": "inner", "host": "a", **FIELDS}
    assert outer == {"event": "outer", "dag_id": "outer", "host": "a"}


def test_outside_airflow_nothing_is_bound(lines):
    with log_context(NO_TASK):
        structlog.get_logger().info("script")
    assert lines() == [{"event": "script"}]


def reset() -> None:
    raise ConnectionResetError("reset by peer")


def ask() -> None:
    try:
        reset()
    except ConnectionResetError as error:
        raise psycopg.OperationalError("server closed\nthe connection") from error


def fail() -> None:
    try:
        ask()
    except psycopg.OperationalError as error:
        raise LoadError("Loading failed.", advice="Run it again.") from error


def fail_alone() -> None:
    try:
        reset()
    except ConnectionResetError:
        raise ValueError("outer") from None


CHAIN = [
    "windlass.warehouse.errors.LoadError: WWH500: Loading failed.",
    "psycopg.OperationalError: server closed",
    "ConnectionResetError: reset by peer",
]


def test_a_failure_is_logged_once_with_its_causes_and_passed_on(lines):
    with pytest.raises(LoadError), log_context(RUN):
        fail()
    assert lines() == [
        {
            "event": "task_failed",
            "error_type": "windlass.warehouse.errors.LoadError",
            "error_code": "WWH500",
            "error": "WWH500: Loading failed.",
            "cause_chain": CHAIN,
            **FIELDS,
        }
    ]


def test_an_error_of_postgresql_tells_its_sqlstate():
    assert describe_error(psycopg.errors.UniqueViolation("duplicate key"))["error_code"] == "23505"


def test_a_hidden_context_is_left_out_and_a_circle_ends():
    with pytest.raises(ValueError, match="outer") as hidden:
        fail_alone()
    assert describe_error(hidden.value)["cause_chain"] == ["ValueError: outer"]
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert describe_error(first)["cause_chain"] == ["ValueError: first", "ValueError: second"]
    assert describe_error(ValueError())["error"] == ""


@pytest.mark.parametrize(
    "message",
    [
        "no route to postgresql://etl:s3cret@db.example/shop?connect_timeout=3",
        "no route to postgresql://etl:s3c/r@s3cret@db.example/shop",
        "cannot use host=db password=s3cret user=etl",
        r"cannot use password='s3\'cret s3cret' user=etl",
        "PGPASSWORD=s3cret psql failed",
        """bad configuration: {"host": "db", "Password": "s3cret s3cret"}""",
        "401 for https://example.org/jobs?access_token=s3cret&page=2",
        "sent Authorization: Bearer s3cret",
    ],
)
def test_no_password_in_an_exceptions_text_reaches_the_log(lines, message):
    with pytest.raises(LoadError), log_context(RUN):
        raise LoadError(f"The source cannot be read: {message}") from ConnectionError(message)
    (line,) = lines()
    assert "s3cret" not in json.dumps(line)
    assert line["error"].startswith("WWH500: The source cannot be read: ")
    assert len(line["cause_chain"]) == 2
    assert all("***" in told for told in (line["error"], *line["cause_chain"]))


@pytest.mark.parametrize(
    "message",
    [
        "password authentication failed for user etl",
        "syntax error at or near token",
        "see https://example.org/docs and mail etl@example.org",
    ],
)
def test_what_is_no_secret_stays(message):
    assert describe_error(ValueError(message))["error"] == message
