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
    """Load a CSV, JSON-lines or Parquet file: the same content once, bad rows set aside up to a limit.

    Args:
        file: Path of the file; CSV and JSON lines may be compressed, `.gz`.
        table: Table to load, `schema.name`; columns are matched by name.
        format: `csv`, `jsonl` or `parquet`; by the file's suffix if not given.
        mode: `append` to the table's rows, or `replace` them.
        columns: Columns of the file that have another name in the table; None for one that is left out.
        extra_columns: What to do with a column the table does not have: `error`, or `ignore` it.
        missing_columns: What to do when the file lacks a column that the table does not fill itself:
            `error`, or let it take its `default` (null if it has none).
        delimiter: What separates the values of a CSV file.
        quote: What may surround them.
        null: What an unquoted CSV value is that means null.
        encoding: Encoding of a CSV or JSON-lines file, by Python's name for it.
        max_rejects: Up to so many rows may be bad, and are put into `ops.rejected_file_row` instead.
        conn_id: Airflow connection of the warehouse.

    Returns:
        `{"table", "rows", "skipped", "sha256", "rejected"}`
    """

    template_fields: Sequence[str] = ("file", "table", "conn_id")
    event = "file_loaded"

    def __init__(
        self,
        *,
        file: str,
        table: str,
        format: Literal["csv", "jsonl", "parquet"] | None = None,  # noqa: A002 - the word configs use
        mode: Literal["replace", "append"] = "append",
        columns: dict[str, str | None] | None = None,
        extra_columns: Literal["error", "ignore"] = "error",
        missing_columns: Literal["error", "default"] = "error",
        delimiter: str = ",",
        quote: str = '"',
        null: str = "",
        encoding: str = "utf-8",
        max_rejects: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.file = file
        self.table = table
        self.format = format
        self.mode = mode
        self.columns = columns
        self.extra_columns = extra_columns
        self.missing_columns = missing_columns
        self.delimiter = delimiter
        self.quote = quote
        self.null = null
        self.encoding = encoding
        self.max_rejects = max_rejects

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """Load the file."""
        from windlass.warehouse.load.file import FileOptions, load_file

        options = FileOptions(
            columns=self.columns or {},
            extra_columns=self.extra_columns,
            missing_columns=self.missing_columns,
            delimiter=self.delimiter,
            quote=self.quote,
            null=self.null,
            encoding=self.encoding,
            max_rejects=self.max_rejects,
        )
        return asdict(
            load_file(
                connection,
                file=self.file,
                table=self.table,
                format=self.format,
                mode=self.mode,
                options=options,
                context=run,
            )
        )
