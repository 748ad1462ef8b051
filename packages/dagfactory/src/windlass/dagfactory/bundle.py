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

import gc
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
from airflow.configuration import conf
from airflow.dag_processing.bundles.base import BaseDagBundle
from airflow.sdk import get_parsing_context

from windlass.dagfactory.errors import StubsError
from windlass.dagfactory.ledger import read_claims
from windlass.dagfactory.neighbours import claimed_before
from windlass.dagfactory.stubs import StubFolder

__all__ = ["ConfigDagBundle", "bring_up_to_date", "prepare_forks", "stubs_for_airflow"]

log = structlog.get_logger(__name__)

# What stubs import, and what Airflow imports whenever it serializes a DAG.
_IMPORTS = (
    "windlass.dagfactory.plan.make",
    "windlass.dagfactory.loader",
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.providers.standard.sensors.external_task",
)


_AS_IS = (
    "the stubs there are used as they are: new configs get none, and an edit is seen after "
    "[dag_processor] min_file_process_interval"
)
_told: dict[str, str] = {}


class ConfigDagBundle(BaseDagBundle):
    """Configs below a folder, each its own DAG with its own import error.

    Args:
        name: The bundle's name.
        configs: Absolute path of the folder of configs; may be read-only.
        stubs: Folder of the stubs; by default in Airflow's bundle storage. Images may ship it filled.
        kwargs: What every bundle takes: `refresh_interval`, `version`, `view_url_template`. Changes are seen
            at each of Airflow's looks (`bundle_refresh_check_interval`), whatever the interval.
    """

    supports_versioning = False

    def __init__(self, *, name: str, configs: str, stubs: str | None = None, **kwargs: Any) -> None:
        self._listed: frozenset[str] | None = None
        super().__init__(name=name, **kwargs)
        if not Path(configs).is_absolute():
            raise StubsError(configs, f"the bundle {name!r} needs an absolute path of configs in its kwargs")
        self._stubs = stubs_for_airflow(configs, stubs or self.base_dir / "stubs")

    @property
    def path(self) -> Path:
        """The folder of stubs: what Airflow searches for DAG files."""
        return self._stubs.stubs

    def initialize(self) -> None:
        """Have the stubs.

        Runs at every task start, where it only looks whether they are there and the task's DAG is among
        them: on a machine that no dag processor keeps up to date, a new DAG's first task brings its stub.
        Elsewhere, as in `airflow dags test` or `reserialize`, they are brought up to date.

        Raises:
            StubsError: They are not there and cannot be written. Where they are another release's and cannot
                be written, that is logged and they are used.
        """
        dag_id = get_parsing_context().dag_id
        complete = self._stubs.is_complete(dag_id)
        if dag_id is None or not complete:
            try:
                with self.lock():
                    bring_up_to_date(self._stubs, bundle=self.name)
            except StubsError as error:
                if not complete:
                    raise
                log.warning("stubs_not_refreshed", bundle=self.name, folder=error.folder, reason=error.reason)
        super().initialize()

    def refresh(self) -> None:
        """Bring the stubs up to date with the configs.

        Raises:
            StubsError: The folder of configs is missing, or there are no stubs and none can be written. Stubs
                that are there and cannot be written, as in an image, are used; that is logged.
        """
        prepare_forks()
        with self.lock():
            bring_up_to_date(self._stubs, bundle=self.name)
        self._listed = self._stubs.names

    @property
    def refresh_interval(self) -> int:
        """How many seconds after a refresh Airflow does the next: none where configs have come or gone.

        Airflow asks the dag processor's bundle whenever it could refresh it. A refresh has it search all
        stubs, half a millisecond each, and write to its database; whether anything has changed costs a
        fortieth. So that is looked at here, and an edited config's stub touched, which Airflow sees itself.
        """
        if self._listed is None:
            return self._refresh_interval
        try:
            with self.lock():
                bring_up_to_date(self._stubs, bundle=self.name)
            names = self._stubs.names
        except Exception:  # noqa: BLE001 - Airflow asks unguarded: raised here, it would end the dag processor
            return 0  # and the refresh says why
        return self._refresh_interval if names == self._listed else 0

    @refresh_interval.setter
    def refresh_interval(self, seconds: int) -> None:  # Airflow's constructor sets it
        self._refresh_interval = seconds

    def get_current_version(self) -> None:
        """Tell that a folder has no versions."""
        return


def prepare_forks() -> None:
    """Do once what else each process would do that Airflow forks to parse a stub.

    Those are imports, and a collection of garbage among all that Airflow holds, which comes by chance and
    costs as much as two parses. A task that starts parses by itself, and is spared this.
    """
    if _IMPORTS[0] in sys.modules or get_parsing_context().dag_id is not None:
        return
    for module in _IMPORTS:
        import_module(module)
    gc.collect()
    gc.freeze()


def stubs_for_airflow(configs: str | os.PathLike[str], stubs: str | os.PathLike[str]) -> StubFolder:
    """Make a folder of stubs that minds how Airflow is set up.

    Args:
        configs: The folder of configs.
        stubs: The folder of stubs.
    """
    # Airflow drops what it parses within this interval after the last change of a DAG.
    interval = conf.getint("core", "min_serialized_dag_update_interval")
    return StubFolder(configs, stubs, settle_after=interval + 5)


def bring_up_to_date(stubs: StubFolder, *, bundle: str, commit: str | None = None) -> None:
    """Bring the stubs up to date with their configs, and log what was done and what is wrong.

    Args:
        stubs: The stubs.
        bundle: The bundle's name.
        commit: Which one they are of; of one commit's DAGs Airflow knows already which bundle serves them.

    Raises:
        StubsError: The folder of configs is missing, or there are no stubs and none can be written.
    """
    try:
        result = stubs.sync(claimed=None if commit else claimed_before(bundle))
    except StubsError as error:
        if error.folder != str(stubs.stubs) or not _serves(stubs.stubs, get_parsing_context().dag_id):
            raise
        if _told.get(bundle) != error.reason:  # a refresh comes every few seconds
            _told[bundle] = error.reason
            log.warning(
                "stubs_not_written", bundle=bundle, folder=error.folder, reason=error.reason, action=_AS_IS
            )
        return
    _told.pop(bundle, None)
    for problem in result.problems:
        log.error("config_unreadable", bundle=bundle, config=problem.name, reason=problem.reason)
    if result.kept:
        log.warning(
            "configs_gone",
            bundle=bundle,
            folder=str(stubs.configs),
            stubs_kept=len(result.kept),
            action="no config is left: check the mount; the DAGs go if it stays so for a minute",
        )
    if result.written or result.removed:
        log.info(
            "stubs_synced",
            bundle=bundle,
            configs=result.configs,
            written=len(result.written),
            removed=len(result.removed),
        )


def _serves(stubs: Path, dag_id: str | None) -> bool:
    """Tell whether there are stubs, or one for a DAG, whichever release wrote them."""
    try:
        names = read_claims(stubs).names
    except OSError:
        return False
    return bool(names) if dag_id is None else dag_id in names
