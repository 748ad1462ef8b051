"""The task that reads: a query's rows, for tasks that expand over them or branch by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from windlass.warehouse.operators.base import WarehouseOperator

__all__ = ["QueryOperator"]


class QueryOperator(WarehouseOperator):
    """Run a query that only reads, and hand its rows on: what a mapped task expands over.

    It takes no fence: a try that Airflow has given up does no harm by reading.

    Args:
        sql: The query; or `sql_file`, the path of a file with it.
        parameters: Values for `%(name)s`; bound, never pasted. The task's own identity and `logical_date` are
            always bound.
        max_rows: Most rows it may return; Airflow expands over 1,024 at most (`[core] max_map_length`).
        conn_id: Airflow connection of the warehouse.

    Returns:
        A list with one object a row, its values by column.
    """

    template_fields: Sequence[str] = ("parameters", "conn_id")

    def __init__(
        self,
        *,
        sql: str | None = None,
        sql_file: str | None = None,
        parameters: dict[str, Any] | None = None,
        max_rows: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sql_file = sql_file
        self.parameters = parameters
        self.max_rows = max_rows

    def execute(self, context: Mapping[str, Any]) -> list[dict[str, Any]]:  # type: ignore[override]
        """Run the query."""
        from windlass.warehouse.context import log_context
        from windlass.warehouse.hooks import WarehouseHook
        from windlass.warehouse.task import run_context
        from windlass.warehouse.transform import query

        run = run_context(context)
        with log_context(run), self._connected(WarehouseHook(self.conn_id)) as connection:
            rows = query(
                connection,
                sql=self.sql,
                sql_file=self.sql_file,
                parameters=self.parameters,
                max_rows=self.max_rows,
                context=run,
            )
            self.log.info("rows_queried", rows=len(rows))
        return list(rows)
