"""What the operators share: the connection, who runs, the log event and stopping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from windlass.warehouse.hooks import WarehouseHook
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

        with WarehouseHook(self.conn_id).task(context) as (connection, run), self._cancelled(connection):
            result = self.work(connection, run)
            self._tell(result)
        return result

    def _tell(self, result: Mapping[str, Any]) -> None:
        self.log.info(self.event, **{name: value for name, value in result.items() if name != "result"})

    def work(self, connection: PgConnection, run: RunContext) -> dict[str, Any]:
        """What one operator does with the connection."""
        raise NotImplementedError

    @contextmanager
    def _connected(self, hook: WarehouseHook) -> Iterator[PgConnection]:
        """A further connection, e.g. to a source, that is cancelled as the warehouse's is."""
        name = f"windlass {self.dag_id}.{self.task_id}"
        with hook.connect(application_name=name) as connection, self._cancelled(connection):
            yield connection

    @contextmanager
    def _cancelled(self, connection: PgConnection) -> Iterator[None]:
        """Have what the connection does inside cancelled when the task is killed."""
        self._connections.append(connection)
        try:
            yield
        finally:
            self._connections.remove(connection)

    def on_kill(self) -> None:
        """Cancel what runs in the database, so that it is rolled back at once instead of finishing unseen."""
        for connection in self._connections:
            connection.cancel_safe(timeout=_CANCEL_SECONDS)
