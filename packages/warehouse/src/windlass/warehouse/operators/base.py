"""What the operators share: the connection, who runs, the log event and stopping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from windlass.warehouse.identity import RunContext
    from windlass.warehouse.load.table import PgConnection

__all__ = ["WarehouseOperator"]

_CANCEL_SECONDS = 3.0  # Airflow kills the process 5 s after it asked


class WarehouseOperator(BaseOperator):
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
        from windlass.warehouse.task import at_work, run_context

        hook = WarehouseHook(self.conn_id)
        with self._connected(hook) as connection, at_work(connection, run_context(context)) as run:
            result = self.work(connection, run)
            self._tell(result)
        return result

    def _tell(self, result: Mapping[str, Any]) -> None:
        self.log.info(self.event, **{name: value for name, value in result.items() if name != "result"})

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
