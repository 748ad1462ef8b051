"""The bundle for configs in a Git repository: a DAG run keeps the commit it began with.

Set it up in Airflow's configuration (needs `pip install windlass-dagfactory[git]`)::

    [dag_processor]
    dag_bundle_config_list = [{"name": "sales",
        "classpath": "windlass.dagfactory.git_bundle.GitConfigDagBundle",
        "kwargs": {"repo_url": "https://git.example.org/sales.git", "tracking_ref": "main",
                   "subdir": "configs"}}]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from windlass.dagfactory.bundle import bring_up_to_date, prepare_forks, stubs_for_airflow
from windlass.dagfactory.errors import StubsError

try:
    from airflow.providers.git.bundles.git import GitDagBundle
except ModuleNotFoundError as error:
    message = "configs in Git need Airflow's Git provider: pip install 'windlass-dagfactory[git]'"
    raise ModuleNotFoundError(message, name=error.name) from error

__all__ = ["GitConfigDagBundle"]


class GitConfigDagBundle(GitDagBundle):
    """Configs in a Git repository, each its own DAG and import error, at the commit that a run began with.

    The repository is the business of Airflow's `GitDagBundle`, with all its settings and connections; its
    checkout takes the place of the folder of configs. A commit's checkout and stubs lie in one folder, which
    Airflow removes when no task has needed it for some time.

    Args:
        tracking_ref: The branch, tag or commit that DAGs are parsed from.
        subdir: Folder of configs in the repository; the whole by default.
        kwargs: What `GitDagBundle` takes: `git_conn_id`, `repo_url`, `submodules`, `refresh_interval`, ...
    """

    def __init__(self, *, tracking_ref: str, subdir: str | None = None, **kwargs: Any) -> None:
        super().__init__(tracking_ref=tracking_ref, subdir=subdir, **kwargs)
        own = self.base_dir
        if self.version:
            own = self.versions_dir / self.version
            self.repo_path = own / "repository"
        self._configs = self.repo_path / subdir if subdir else self.repo_path
        self._stubs = stubs_for_airflow(self._configs, own / "stubs")

    @property
    def path(self) -> Path:
        """The folder of stubs: what Airflow searches for DAG files."""
        return self._stubs.stubs

    def initialize(self) -> None:
        """Have the checkout and its stubs, once.

        Runs at every task start. A commit never changes: where its stubs are, nothing is left to do.

        Raises:
            StubsError: The repository has no such folder of configs, or the stubs cannot be written.
        """
        if self.version and self._stubs.is_complete():
            self.is_initialized = True
            return
        self.path.mkdir(parents=True, exist_ok=True)
        super().initialize()  # calls refresh() unless it is for one commit
        if self.version:
            with self.lock():
                self._sync()

    def refresh(self) -> None:
        """Fetch the repository, and bring the stubs up to date with its configs.

        Raises:
            StubsError: The repository has no such folder of configs; the stubs stay as they are.
        """
        prepare_forks()
        with self.lock():
            super().refresh()
            self._sync()

    def _sync(self) -> None:
        if not self._configs.is_dir():
            where = f"commit {self.version}" if self.version else repr(self.tracking_ref)
            reason = f"the bundle {self.name!r} finds no such folder at {where}; check its subdir"
            raise StubsError(str(self._configs), reason)
        bring_up_to_date(self._stubs, bundle=self.name, commit=self.version)
