"""The bundle by which Airflow finds configs: a folder of them, shown to Airflow as a folder of stubs.

Set it up in Airflow's configuration::

    [dag_processor]
    dag_bundle_config_list = [{"name": "examples",
        "classpath": "windlass.dagfactory.bundle.ConfigDagBundle",
        "kwargs": {"configs": "/opt/airflow/configs"}}]
    file_parsing_sort_mode = modified_time
    min_file_process_interval = 600
    bundle_refresh_check_interval = 1

    [core]
    min_serialized_dag_update_interval = 0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from airflow.configuration import conf
from airflow.dag_processing.bundles.base import BaseDagBundle
from airflow.sdk import get_parsing_context

from windlass.dagfactory.errors import StubsError
from windlass.dagfactory.stubs import StubFolder, SyncResult

__all__ = ["ConfigDagBundle"]

log = structlog.get_logger(__name__)


class ConfigDagBundle(BaseDagBundle):
    """Configs below a folder, each its own DAG with its own import error.

    Args:
        name: The bundle's name.
        configs: Absolute path of the folder of configs; may be read-only.
        stubs: Folder of the stubs; by default in Airflow's bundle storage. Images may ship it filled.
        kwargs: What every bundle takes: `refresh_interval`, `version`, `view_url_template`.
    """

    supports_versioning = False

    def __init__(self, *, name: str, configs: str, stubs: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if not Path(configs).is_absolute():
            raise StubsError(configs, f"the bundle {name!r} needs an absolute path of configs in its kwargs")
        # Airflow drops what it parses within this interval after the last change of a DAG.
        interval = conf.getint("core", "min_serialized_dag_update_interval")
        self._stubs = StubFolder(configs, stubs or self.base_dir / "stubs", settle_after=interval + 5)

    @property
    def path(self) -> Path:
        """The folder of stubs: what Airflow searches for DAG files."""
        return self._stubs.stubs

    def initialize(self) -> None:
        """Have the stubs written, once.

        Runs at every task start, so it only looks whether they are there, and whether the task's DAG is among
        them: on a machine that no dag processor keeps up to date, a new DAG's first task brings its stub.

        Raises:
            StubsError: They are not there and cannot be written.
        """
        if not self._stubs.is_complete(get_parsing_context().dag_id):
            self._sync()
        super().initialize()

    def refresh(self) -> None:
        """Bring the stubs up to date with the configs.

        Raises:
            StubsError: A folder is missing or cannot be used; the stubs stay as they are.
        """
        import windlass.dagfactory.loader  # noqa: F401 - imported here once, not in each process forked to parse a stub

        self._sync()

    def get_current_version(self) -> None:
        """Tell that a folder has no versions."""
        return

    def _sync(self) -> SyncResult:
        with self.lock():
            result = self._stubs.sync()
        for problem in result.problems:
            log.error("config_unreadable", bundle=self.name, config=problem.name, reason=problem.reason)
        if result.kept:
            log.warning(
                "configs_gone",
                bundle=self.name,
                folder=str(self._stubs.configs),
                stubs_kept=len(result.kept),
                action="no config is left: check the mount; the DAGs go if it stays so for a minute",
            )
        if result.written or result.removed:
            log.info(
                "stubs_synced",
                bundle=self.name,
                configs=result.configs,
                written=len(result.written),
                removed=len(result.removed),
            )
        return result
