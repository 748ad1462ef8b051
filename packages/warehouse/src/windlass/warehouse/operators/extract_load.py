"""The task that streams a query's rows into a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from windlass.warehouse.operators.source import SourceOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["ExtractLoadOperator"]


class ExtractLoadOperator(SourceOperator):
    """Stream the rows of a query into a table, in one transaction and constant memory.

    Args:
        table: Table to load, `schema.name`; columns are matched by name.
        sql: The query; or `sql_file`, the path of a file with it.
        source_conn_id: Airflow connection to run it on, of any database; the warehouse's own by default.
        parameters: Values for `%(name)s`; bound, never pasted.
        mode: `replace` the table's rows, or `append` to them.
        conn_id: Airflow connection of the warehouse.

    Returns:
        `{"table", "rows"}`
    """

    template_fields: Sequence[str] = ("table", "parameters", "source_conn_id", "conn_id")
    event = "rows_extracted"

    def __init__(
        self,
        *,
        table: str,
        sql: str | None = None,
        sql_file: str | None = None,
        parameters: dict[str, Any] | None = None,
        mode: Literal["replace", "append"] = "replace",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.sql = sql
        self.sql_file = sql_file
        self.parameters = parameters
        self.mode = mode

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """Load the rows."""
        from windlass.warehouse.load.extract import extract_load

        with self._source() as source:
            return asdict(
                extract_load(
                    connection,
                    table=self.table,
                    sql=self.sql,
                    sql_file=self.sql_file,
                    source=source,
                    parameters=self.parameters,
                    mode=self.mode,
                    context=run,
                )
            )
