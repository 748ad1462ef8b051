"""What every log line of a task carries: which try of which task instance, and why it failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from windlass.warehouse.identity import RunContext
from windlass.warehouse.redaction import redact

__all__ = ["describe_error", "log_context"]


@contextmanager
def log_context(run: RunContext) -> Iterator[None]:
    """Bind who works to every structlog event inside, also to those of other libraries.

    The fields are `dag_id`, `run_id`, `task_id`, `map_index`, `attempt` and `logical_date`; outside Airflow
    there are none. What was bound before is bound again afterwards. An exception that leaves the block is
    logged once, as `task_failed` with the fields of `describe_error`, and passed on.

    Args:
        run: The try at work.
    """
    # Imported late: it takes a fifth of the package's time to import.
    import structlog
    from structlog.contextvars import bound_contextvars

    with bound_contextvars(**_fields(run)):
        try:
            yield
        except Exception as error:
            structlog.get_logger("windlass.warehouse").error("task_failed", **describe_error(error))
            raise


def _fields(run: RunContext) -> dict[str, Any]:
    if run.identity is None:
        return {}
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_id": run.task_id,
        "map_index": run.map_index,
        "attempt": run.try_number,
        "logical_date": run.logical_date.isoformat() if run.logical_date is not None else None,
    }


def describe_error(error: BaseException) -> dict[str, Any]:
    """Put an exception and its causes into fields that can be searched.

    Args:
        error: The exception.

    Returns:
        `error_type` (`module.Class`), `error_code` if it has one (`WWH520`, or PostgreSQL's SQLSTATE of the
        nearest cause that has one), `error` (first line of its message), and `cause_chain`: the
        same as `module.Class: message`, from the exception down to its first cause. Passwords in URIs and
        after `password=` and the like are `***`.
    """
    chain = list(_chain(error))
    codes = (getattr(each, "code", None) or getattr(each, "sqlstate", None) for each in chain)
    return {
        "error_type": _kind(error),
        "error_code": next((code for code in codes if isinstance(code, str)), None),
        "error": _first_line(error),
        "cause_chain": [f"{_kind(each)}: {_first_line(each)}" for each in chain],
    }


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        # As a traceback is printed: the stated cause, else what was being handled, unless it was hidden.
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _first_line(error: BaseException) -> str:
    return redact(next(iter(str(error).splitlines()), ""))
