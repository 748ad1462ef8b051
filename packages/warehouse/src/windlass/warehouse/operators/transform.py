"""The task that runs a SQL file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from windlass.warehouse.operators.base import WarehouseOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["TransformOperator"]


class TransformOperator(WarehouseOperator):
    """Run the statements of a SQL file in one transaction.

    Args:
        sql: The statements; or `sql_file`, the path of a file with them.
        parameters: Values for `%(name)s`; bound, never pasted. The task's own identity and `logical_date` are
            always bound.
        conn_id: Airflow connection of the warehouse.

    Returns:
        `{"statements": [{"rows", "command"}], "result": [{...}]}`, `result` being the last statement's rows.
    """

    template_fields: Sequence[str] = ("parameters", "conn_id")
    event = "sql_transformed"

    def __init__(
        self,
        *,
        sql: str | None = None,
        sql_file: str | None = None,
        parameters: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sql_file = sql_file
        self.parameters = parameters

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """Run the statements."""
        from windlass.warehouse.transform import transform

        done = transform(
            connection, sql=self.sql, sql_file=self.sql_file, parameters=self.parameters, context=run
        )
        return {"statements": [asdict(item) for item in done.statements], "result": list(done.result)}
