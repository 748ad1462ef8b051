"""Files that arrive: waited for in the triggerer, and handed on by path."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import cached_property
from glob import glob
from typing import Any, NoReturn

from airflow.providers.standard.hooks.filesystem import FSHook
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.triggers.file import FileTrigger
from airflow.sdk import BaseSensorOperator, PokeReturnValue

__all__ = ["FileArrivalSensor"]


class FileArrivalSensor(FileSensor):
    """Wait for files, and return the paths of all that match, sorted.

    Args:
        filepath: Path or glob pattern; rendered.
        fs_conn_id: Connection whose path it is below; without one `filepath` stands for itself. Rendered.
        recursive: Whether `**` goes into folders below.
        deferrable: Whether the triggerer waits instead of a worker.
    """

    def __init__(
        self,
        *,
        filepath: str,
        fs_conn_id: str | None = None,
        recursive: bool = False,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filepath=filepath, fs_conn_id=fs_conn_id, recursive=recursive, deferrable=deferrable, **kwargs
        )

    @cached_property
    def path(self) -> str:
        """The pattern with the connection's path before it."""
        if self.fs_conn_id is None:
            return str(self.filepath)
        return os.path.join(FSHook(self.fs_conn_id).get_path(), self.filepath)  # noqa: PTH118 - a pattern

    def poke(self, context: Any) -> Any:  # noqa: ARG002 - Airflow's signature
        """Look once."""
        found = self._found()
        return PokeReturnValue(bool(found), found)

    def execute(self, context: Any) -> Any:
        """Wait, and return what is there."""
        if not self.deferrable:
            return BaseSensorOperator.execute(self, context)
        found = self._found()
        if not found:
            self._wait()
        return found

    def execute_complete(self, context: Any, event: bool | None = None) -> Any:  # noqa: ARG002 - Airflow's
        """Return what is there; wait on if somebody else took it meanwhile."""
        found = self._found()
        if not found:
            self._wait()
        return found

    def _found(self) -> list[str]:
        return sorted(glob(self.path, recursive=self.recursive))  # noqa: PTH207 - may be absolute

    def _wait(self) -> NoReturn:
        trigger = FileTrigger(filepath=self.path, recursive=self.recursive, poke_interval=self.poke_interval)
        self.defer(timeout=timedelta(seconds=self.timeout), trigger=trigger, method_name="execute_complete")
