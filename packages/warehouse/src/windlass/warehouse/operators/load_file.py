"""The task that loads a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from windlass.warehouse.operators.base import WarehouseOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["LoadFileOperator"]


class LoadFileOperator(WarehouseOperator):
    """Load a CSV or JSON-lines file by COPY: all or nothing, and the same content once.

    Args:
        file: Path of the file, UTF-8.
        table: Table to load, `schema.name`; columns are matched by name.
        format: `csv` or `jsonl`; by the file's suffix if not given.
        mode: `append` to the table's rows, or `replace` them.
        conn_id: Airflow connection of the warehouse.

    Returns:
        `{"table", "rows", "skipped", "sha256"}`
    """

    template_fields: Sequence[str] = ("file", "table", "conn_id")
    event = "file_loaded"

    def __init__(
        self,
        *,
        file: str,
        table: str,
        format: Literal["csv", "jsonl"] | None = None,  # noqa: A002 - the word configs use
        mode: Literal["replace", "append"] = "append",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.file = file
        self.table = table
        self.format = format
        self.mode = mode

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """Load the file."""
        from windlass.warehouse.load.file import load_file

        return asdict(
            load_file(
                connection, file=self.file, table=self.table, format=self.format, mode=self.mode, context=run
            )
        )
