"""The operators as configs see them; imports neither Airflow nor psycopg."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "EXTRACT_LOAD",
    "INCREMENTAL_LOAD",
    "LOAD_FILE",
    "PUBLISH",
    "QUERY",
    "SCD2",
    "TRANSFORM",
    "ExtractLoadParameters",
    "IncrementalLoadParameters",
    "LoadFileParameters",
    "LookupParameters",
    "OperatorSpec",
    "PublishParameters",
    "QueryParameters",
    "Scd2Parameters",
    "TransformParameters",
]

ConfigFile = Annotated[str, Field(min_length=1, json_schema_extra={"format": "config-file"})]
TableName = Annotated[str, Field(min_length=1, examples=["staging.sale"])]
ColumnName = Annotated[str, Field(min_length=1)]
CsvCharacter = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[\x01-\x7f]$")]
Parameters = Annotated[
    dict[str, Any] | None,
    Field(description="Values bound to %(name)s in the SQL; each must be used. Objects are bound as jsonb."),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    conn_id: str = Field(
        "warehouse_default", min_length=1, description="Airflow connection of the warehouse."
    )


class _WithSql(_Model):
    sql: str | None = Field(None, min_length=1, description="The SQL; or give sql_file.")
    sql_file: ConfigFile | None = Field(None, description="UTF-8 file with the SQL, beside the config.")
    parameters: Parameters = None

    @model_validator(mode="after")
    def _one_sql(self) -> _WithSql:
        if (self.sql is None) == (self.sql_file is None):
            raise ValueError("exactly one of sql and sql_file is needed")
        return self


class ExtractLoadParameters(_WithSql):
    """Parameters of `warehouse.extract_load`."""

    table: TableName = Field(description="Table to load, schema.name. Columns are matched by name.")
    source_conn_id: str | None = Field(
        None,
        min_length=1,
        description="Airflow connection to run the query on; the warehouse's own by default.",
    )
    mode: Literal["replace", "append"] = Field(
        "replace",
        description="replace: remove the table's rows first, in the same transaction. append: keep them.",
    )


class IncrementalLoadParameters(_WithSql):
    """Parameters of `warehouse.incremental_load`."""

    table: TableName = Field(description="Table to load, schema.name. Columns are matched by name.")
    watermark: ColumnName = Field(
        description="Column of the query that grows with every change: a timestamp, a date or a number."
    )
    key: Annotated[list[ColumnName], Field(min_length=1)] = Field(
        description="Columns of the table's primary key or of a unique constraint; rows are upserted by it."
    )
    source_conn_id: str | None = Field(
        None,
        min_length=1,
        description="Airflow connection to run the query on; the warehouse's own by default.",
    )
    overlap: str | int | float | None = Field(
        None,
        description="How far below the watermark to read again, for rows that are stamped late: a duration "
        "such as 10m, or a number. 10s by default; needed for standbys and databases other than PostgreSQL.",
    )
    start: str | int | float | None = Field(
        None, description="Where the first load begins; everything is read by default."
    )
    pipeline: str | None = Field(
        None, min_length=1, description="Whose watermark it is; the DAG's and the task's id by default."
    )
    source_name: str | None = Field(
        None, min_length=1, description="Which of the pipeline's watermarks it is; the table by default."
    )


class LoadFileParameters(_Model):
    """Parameters of `warehouse.load_file`."""

    file: ConfigFile = Field(
        description="CSV with a header line, JSON lines or Parquet; the first two also compressed, .gz."
    )
    table: TableName = Field(description="Table to load, schema.name. Columns are matched by name.")
    format: Literal["csv", "jsonl", "parquet"] | None = Field(
        None, description="The format; by the file's suffix by default."
    )
    mode: Literal["replace", "append"] = Field(
        "append",
        description="append: keep the table's rows. replace: remove them first, in the same transaction.",
    )
    columns: dict[str, ColumnName | None] | None = Field(
        None,
        description="Columns of the file that have another name in the table; null for one to leave out.",
        examples=[{"Order No": "order_id", "Remarks": None}],
    )
    extra_columns: Literal["error", "ignore"] = Field(
        "error", description="A column of the file that the table does not have: an error, or left out."
    )
    missing_columns: Literal["error", "default"] = Field(
        "error",
        description="A column that the file lacks and the table does not fill itself: an error, or null.",
    )
    delimiter: CsvCharacter = Field(",", description="What separates the values of a CSV file.")
    quote: CsvCharacter = Field('"', description="What may surround them; doubled inside.")
    null: str = Field("", description="What an unquoted CSV value is that means null.")
    encoding: str = Field(
        "utf-8",
        min_length=1,
        description="Encoding of a CSV or JSON-lines file, by Python's name for it.",
        examples=["utf-8", "cp1252", "utf-16"],
    )
    max_rejects: int = Field(
        0,
        ge=0,
        description="Up to so many rows may be bad: they go to ops.rejected_file_row, the others are loaded.",
    )


class TransformParameters(_WithSql):
    """Parameters of `warehouse.transform`."""


class QueryParameters(_WithSql):
    """Parameters of `warehouse.query`."""

    max_rows: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Most rows it may return; Airflow expands over 1,024 at most (core.max_map_length).",
    )


class LookupParameters(BaseModel):
    """Where a target column's value is found."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    table: TableName = Field(description="Table to look in, schema.name.")
    column: ColumnName = Field(description="Its column that holds the value.")
    on: Annotated[dict[ColumnName, ColumnName], Field(min_length=1)] = Field(
        description="Its columns, and the columns of the query that they must equal."
    )
    valid_at: ColumnName | None = Field(
        None,
        description="Column of the query with the time to look up: valid_from <= valid_at < valid_to.",
    )


class PublishParameters(_WithSql):
    """Parameters of `warehouse.publish`."""

    table: TableName = Field(
        description="Table to publish into, schema.name. Its constraints judge the rows."
    )
    source_table: TableName = Field(
        description="Table the rows were landed in; the query must give one row for each of its rows."
    )
    key: Annotated[list[ColumnName], Field(min_length=1)] = Field(
        description="Natural key of the target: the columns of its primary key or of a unique constraint."
    )
    row_key: ColumnName | None = Field(
        None, description="Column of the query that names a row in the rejects; the first of key by default."
    )
    lookups: dict[ColumnName, LookupParameters] | None = Field(
        None, description="For target columns found in other tables, such as surrogate keys: where."
    )


class Scd2Parameters(_WithSql):
    """Parameters of `warehouse.scd2`."""

    table: TableName = Field(
        description="Dimension to keep, schema.name, with a unique constraint on the key and valid_from."
    )
    key: Annotated[list[ColumnName], Field(min_length=1)] = Field(
        description="Columns of its natural key, which all versions of a row share."
    )
    mode: Literal["snapshot", "changes"] = Field(
        "snapshot",
        description="snapshot: the query is the whole state as of one instant. "
        "changes: each row says how its key is from its effective_at on.",
    )
    as_of: str | None = Field(
        None,
        min_length=1,
        description="Instant of the snapshot, ISO 8601 with a time zone; the run's logical date by default.",
        examples=["{{ data_interval_end }}"],
    )
    effective_at: ColumnName | None = Field(
        None, description="For changes: column of the query with the time from which a row holds."
    )
    deleted: ColumnName | None = Field(
        None, description="For changes: boolean column of the query that tells of a deletion."
    )
    complete: bool = Field(True, description="Whether a key that is not in the snapshot is gone.")
    allow_empty: bool = Field(
        False, description="Whether a snapshot without rows may close versions; it is refused otherwise."
    )
    track: list[ColumnName] | None = Field(
        None,
        description="Columns whose change begins a version; others are overwritten. All by default.",
    )
    valid_from: ColumnName = Field(
        "valid_from", description="The dimension's column with the beginning of a version."
    )
    valid_to: ColumnName = Field("valid_to", description="The dimension's column with the end of a version.")
    is_current: ColumnName | None = Field(
        "is_current",
        description="The dimension's column that is true while a version has no end; null: none.",
    )

    @model_validator(mode="after")
    def _options_of_mode(self) -> Scd2Parameters:
        changes = self.mode == "changes"
        if changes and self.effective_at is None:
            raise ValueError("changes need effective_at")
        if changes and (self.as_of is not None or not self.complete or self.allow_empty):
            raise ValueError("as_of, complete and allow_empty are for snapshots")
        if not changes and (self.effective_at is not None or self.deleted is not None):
            raise ValueError("effective_at and deleted are for changes")
        return self


@dataclass(frozen=True, slots=True)
class OperatorSpec:
    """An operator that configs can name.

    Attributes:
        name: Its short name.
        operator: Import path of its class.
        parameters: Model of its parameters.
        summary: One line on what it does.
    """

    name: str
    operator: str
    parameters: type[BaseModel]
    summary: str


EXTRACT_LOAD = OperatorSpec(
    "warehouse.extract_load",
    "windlass.warehouse.operators.ExtractLoadOperator",
    ExtractLoadParameters,
    "Stream the rows of a query into a table, in one transaction and constant memory.",
)
INCREMENTAL_LOAD = OperatorSpec(
    "warehouse.incremental_load",
    "windlass.warehouse.operators.IncrementalLoadOperator",
    IncrementalLoadParameters,
    "Load the rows that are new or changed since the last load, by a watermark that misses none.",
)
LOAD_FILE = OperatorSpec(
    "warehouse.load_file",
    "windlass.warehouse.operators.LoadFileOperator",
    LoadFileParameters,
    "Load a CSV, JSON-lines or Parquet file: the same content once, bad rows set aside up to a limit.",
)
TRANSFORM = OperatorSpec(
    "warehouse.transform",
    "windlass.warehouse.operators.TransformOperator",
    TransformParameters,
    "Run the statements of a SQL file in one transaction, with bound parameters and row counts.",
)
QUERY = OperatorSpec(
    "warehouse.query",
    "windlass.warehouse.operators.QueryOperator",
    QueryParameters,
    "Run a query that only reads and hand its rows on, for tasks that expand over them or branch by them.",
)
PUBLISH = OperatorSpec(
    "warehouse.publish",
    "windlass.warehouse.operators.PublishOperator",
    PublishParameters,
    "Publish landed rows that the target's own constraints accept; reject the others with every reason.",
)
SCD2 = OperatorSpec(
    "warehouse.scd2",
    "windlass.warehouse.operators.Scd2Operator",
    Scd2Parameters,
    "Keep a dimension's history (SCD type 2) from snapshots or changes, in any order, as often as you like.",
)
