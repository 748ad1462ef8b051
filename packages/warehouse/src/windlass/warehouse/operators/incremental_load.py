"""The task that loads what is new in a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from windlass.warehouse.operators.source import SourceOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["IncrementalLoadOperator"]


class IncrementalLoadOperator(SourceOperator):
    """Load the rows that are new or changed since the last load; rows and watermark move together.

    Args:
        table: Table to load, `schema.name`; columns are matched by name.
        watermark: Column of the query that grows with every change.
        key: Columns of the table's primary key or of one of its unique constraints.
        sql: The query; or `sql_file`, the path of a file with it.
        source_conn_id: Airflow connection to run it on, of any database; the warehouse's own by default.
        overlap: How far below the watermark to read again: a duration such as `10m`, or a number.
        start: Where the first load begins; it reads all by default.
        pipeline: Whose watermark it is; `dag_id.task_id` by default.
        source_name: Which of the pipeline's watermarks it is; the table by default.
        parameters: Values for `%(name)s`; bound, never pasted.
        conn_id: Airflow connection of the warehouse.

    Returns:
        `{"table", "read", "inserted", "updated", "unchanged", "superseded", "without_watermark",
        "watermark_before", "watermark_after", "pending", "held_back", "oldest", "started_over"}`
    """

    template_fields: Sequence[str] = ("table", "start", "parameters", "source_conn_id", "conn_id")
    event = "increment_loaded"

    def __init__(
        self,
        *,
        table: str,
        watermark: str,
        key: Sequence[str],
        sql: str | None = None,
        sql_file: str | None = None,
        overlap: str | float | None = None,
        start: str | float | None = None,
        pipeline: str | None = None,
        source_name: str | None = None,
        parameters: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.watermark = watermark
        self.key = list(key)
        self.sql = sql
        self.sql_file = sql_file
        self.overlap = overlap
        self.start = start
        self.pipeline = pipeline
        self.source_name = source_name
        self.parameters = parameters

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """Load the increment."""
        from windlass.warehouse.incremental import incremental_load

        with self._source() as source:
            return asdict(
                incremental_load(
                    connection,
                    table=self.table,
                    watermark=self.watermark,
                    key=self.key,
                    sql=self.sql,
                    sql_file=self.sql_file,
                    source=source,
                    overlap=self.overlap,
                    start=self.start,
                    pipeline=self.pipeline,
                    source_name=self.source_name,
                    parameters=self.parameters,
                    context=run,
                )
            )
