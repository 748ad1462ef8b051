"""A task at work on the warehouse: its fence taken, its generation known, its log lines named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg

from windlass.warehouse.context import log_context
from windlass.warehouse.fence import take_fence
from windlass.warehouse.generation import take_generation
from windlass.warehouse.identity import RunContext

__all__ = ["at_work", "run_context"]


def run_context(context: Mapping[str, Any]) -> RunContext:
    """Read who works from Airflow's task context.

    Args:
        context: What Airflow hands to `execute`.
    """
    instance = context["ti"]
    return RunContext(
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        task_id=instance.task_id,
        map_index=-1 if instance.map_index is None else instance.map_index,
        try_number=instance.try_number,
        logical_date=context.get("logical_date"),
        max_tries=instance.max_tries,
        ti_id=UUID(str(instance.id)),
    )


@contextmanager
def at_work(connection: psycopg.Connection[Any], run: RunContext) -> Iterator[RunContext]:
    """Begin a try: take its fence and its generation, and name its log lines for as long as it works.

    Args:
        connection: Connection to the warehouse in autocommit mode, the one the task writes with.
        run: The try, as `run_context` reads it.

    Yields:
        The same with its generation; pass it to the functions that write.

    Raises:
        FencedError: A later try is at work.
        LoadError: The warehouse has no bookkeeping, or the fence cannot be had.
    """
    with log_context(run):
        take_fence(connection, run)
        run = replace(run, generation=take_generation(connection, run))
        yield run
