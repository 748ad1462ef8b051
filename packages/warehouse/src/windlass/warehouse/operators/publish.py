"""The task that publishes landed rows and rejects the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from windlass.warehouse.operators.base import WarehouseOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["PublishOperator"]


class PublishOperator(WarehouseOperator):
    """Publish landed rows that the target's own constraints accept; reject the others with every reason.

    Args:
        table: Table to publish into, `schema.name`.
        source_table: Table the rows were landed in; the query gives one row for each of its rows.
        key: Natural key of the target.
        sql: The query; or `sql_file`, the path of a file with it.
        row_key: Column of the query that names a row in the rejects; the first of `key` by default.
        lookups: For target columns found in other tables:
            `{column: {"table", "column", "on": {lookup_column: query_column}, "valid_at"}}`.
        parameters: Values for `%(name)s` in the query.
        conn_id: Airflow connection of the warehouse.

    Returns:
        `{"table", "landed", "published", "inserted", "updated", "unchanged", "rejected",
        "rejected_by_kind"}`, with landed = published + unchanged + rejected and
        published = inserted + updated.
    """

    template_fields: Sequence[str] = ("table", "source_table", "parameters", "conn_id")
    event = "rows_published"

    def __init__(
        self,
        *,
        table: str,
        source_table: str,
        key: Sequence[str],
        sql: str | None = None,
        sql_file: str | None = None,
        row_key: str | None = None,
        lookups: Mapping[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.source_table = source_table
        self.key = list(key)
        self.sql = sql
        self.sql_file = sql_file
        self.row_key = row_key
        self.lookups: dict[str, Any] = {name: _plain(item) for name, item in (lookups or {}).items()}
        self.parameters = parameters

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """Publish the rows."""
        from windlass.warehouse.publish import publish

        done = publish(
            connection,
            table=self.table,
            source_table=self.source_table,
            key=self.key,
            sql=self.sql,
            sql_file=self.sql_file,
            row_key=self.row_key,
            lookups=self.lookups,
            parameters=self.parameters,
            context=run,
        )
        return {**asdict(done), "published": done.published}


def _plain(item: Any) -> dict[str, Any]:
    """A lookup as a dict: a config's validated model, a `Lookup` or a dict already."""
    if hasattr(item, "model_dump"):
        return dict(item.model_dump(exclude_none=True))
    return dict(item) if isinstance(item, Mapping) else asdict(item)
