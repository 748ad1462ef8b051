"""What operators share that read from another database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from windlass.warehouse.operators.base import WarehouseOperator

__all__ = ["SourceOperator"]


class SourceOperator(WarehouseOperator):
    """Reads from any database that Airflow has a connection to."""

    def __init__(self, *, source_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id

    @contextmanager
    def _source(self) -> Iterator[Any]:
        """The connection to read from; None for the warehouse's own."""
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
