"""Tasks that load, transform and publish: thin, the work is done by functions that know no Airflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["ExtractLoadOperator", "LoadFileOperator", "PublishOperator", "TransformOperator"]

_CANCEL_SECONDS = 3.0  # Airflow kills the process 5 s after it asked


class _WarehouseOperator(BaseOperator):
    """What the operators share: the connection, who runs, the log event and stopping."""

    ui_color = "#dbe7f3"
    event = ""

    def __init__(self, *, conn_id: str = "warehouse_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._connections: list[PgConnection] = []

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Do the work; the dict becomes the task's XCom."""
        from windlass.warehouse.hooks import WarehouseHook

        with self._connected(WarehouseHook(self.conn_id)) as connection:
            result = self.work(connection, _run_context(context))
        self.log.info(self.event, **{name: value for name, value in result.items() if name != "result"})
        return result

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """What one operator does with the connection."""
        raise NotImplementedError

    @contextmanager
    def _connected(self, hook: Any) -> Iterator[PgConnection]:
        with hook.connect(application_name=f"windlass {self.dag_id}.{self.task_id}") as connection:
            self._connections.append(connection)
            try:
                yield connection
            finally:
                self._connections.remove(connection)

    def on_kill(self) -> None:
        """Cancel what runs in the database, so that it is rolled back at once instead of finishing unseen."""
        for connection in self._connections:
            connection.cancel_safe(timeout=_CANCEL_SECONDS)


def _run_context(context: Mapping[str, Any]) -> RunContext:
    from windlass.warehouse.identity import RunContext

    instance = context["ti"]
    return RunContext(
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        task_id=instance.task_id,
        map_index=instance.map_index,
        try_number=instance.try_number,
        logical_date=context.get("logical_date"),
    )


class ExtractLoadOperator(_WarehouseOperator):
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
        source_conn_id: str | None = None,
        parameters: dict[str, Any] | None = None,
        mode: Literal["replace", "append"] = "replace",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.sql = sql
        self.sql_file = sql_file
        self.source_conn_id = source_conn_id
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

    @contextmanager
    def _source(self) -> Iterator[Any]:
        from contextlib import closing

        from airflow.providers.common.sql.hooks.sql import DbApiHook

        from windlass.warehouse.hooks import WarehouseHook

        if self.source_conn_id in (None, self.conn_id):
            yield None
        elif DbApiHook.get_connection(self.source_conn_id).conn_type == WarehouseHook.conn_type:
            with self._connected(WarehouseHook(self.source_conn_id)) as source:
                yield source
        else:
            with closing(DbApiHook.get_hook(self.source_conn_id).get_conn()) as source:
                yield source


class LoadFileOperator(_WarehouseOperator):
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


class TransformOperator(_WarehouseOperator):
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


class PublishOperator(_WarehouseOperator):
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
