"""The task that applies a snapshot or changes to a dimension that keeps its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from windlass.warehouse.operators.base import WarehouseOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["Scd2Operator"]


class Scd2Operator(WarehouseOperator):
    """Apply the rows of a query to a dimension that keeps its history, in one transaction.

    Args:
        table: The dimension, `schema.name`, with a unique constraint on the key and `valid_from`.
        key: Columns of its natural key.
        sql: The query; or `sql_file`, the path of a file with it.
        mode: `snapshot`: the query is the whole state as of one instant. `changes`: each row says how its key
            is from its `effective_at` on.
        as_of: Instant of the snapshot, ISO 8601 with a time zone; the run's logical date by default, or its
            `run_after` when it has none.
        effective_at: The query's column with the time of a change.
        deleted: The query's boolean column that tells of a deletion.
        complete: Whether a key that is not in the snapshot is gone.
        allow_empty: Whether a snapshot without rows may close versions.
        track: Columns whose change begins a version; all by default.
        parameters: Values for `%(name)s`; bound, never pasted.
        valid_from: The dimension's column with the beginning of a version.
        valid_to: Its column with the end.
        is_current: Its column that is true while a version has no end; None for none.
        conn_id: Airflow connection of the warehouse.

    Returns:
        `{"table", "mode", "as_of", "rows", "inserted", "changed", "reappeared", "deleted", "unchanged",
        "late"}`
    """

    template_fields: Sequence[str] = ("table", "as_of", "parameters", "conn_id")
    event = "history_kept"

    def __init__(
        self,
        *,
        table: str,
        key: Sequence[str],
        sql: str | None = None,
        sql_file: str | None = None,
        mode: Literal["snapshot", "changes"] = "snapshot",
        as_of: str | datetime | None = None,
        effective_at: str | None = None,
        deleted: str | None = None,
        complete: bool = True,
        allow_empty: bool = False,
        track: Sequence[str] | None = None,
        parameters: dict[str, Any] | None = None,
        valid_from: str = "valid_from",
        valid_to: str = "valid_to",
        is_current: str | None = "is_current",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.key = key
        self.sql = sql
        self.sql_file = sql_file
        self.mode = mode
        self.as_of = as_of
        self.effective_at = effective_at
        self.deleted = deleted
        self.complete = complete
        self.allow_empty = allow_empty
        self.track = track
        self.parameters = parameters
        self.valid_from = valid_from
        self.valid_to = valid_to
        self.is_current = is_current
        self._run_after: datetime | None = None

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Apply the rows; the dict becomes the task's XCom."""
        # A run started by an asset has no logical date; when it was due stays the same over its retries.
        self._run_after = getattr(context.get("dag_run"), "run_after", None)
        return super().execute(context)

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """Apply the rows."""
        from windlass.warehouse.scd2 import apply_scd2

        return asdict(
            apply_scd2(
                connection,
                table=self.table,
                key=self.key,
                sql=self.sql,
                sql_file=self.sql_file,
                mode=self.mode,
                as_of=self._instant(run),
                effective_at=self.effective_at,
                deleted=self.deleted,
                complete=self.complete,
                allow_empty=self.allow_empty,
                track=self.track,
                parameters=self.parameters,
                valid_from=self.valid_from,
                valid_to=self.valid_to,
                is_current=self.is_current,
                context=run,
            )
        )

    def _instant(self, run: RunContext) -> datetime | None:
        if self.mode == "changes" and self.as_of is None:
            return None
        if self.as_of is None:
            return run.logical_date or self._run_after
        from windlass.warehouse.errors import HistoryError

        if isinstance(self.as_of, datetime):
            # A DAG that renders templates to native objects gives one.
            return self.as_of
        try:
            return datetime.fromisoformat(self.as_of)
        except ValueError as error:
            raise HistoryError(
                f"as_of {self.as_of!r} is no instant.",
                advice="Write ISO 8601 with a time zone, e.g. 2026-01-05T00:00:00+00:00, or "
                "{{ data_interval_end }}.",
            ) from error
