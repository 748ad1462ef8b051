"""The main job: from nothing to a finished, checked ETL run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from windlass.deployments.errors import ServiceFailedError
from windlass.deployments.local.airflow_config import AirflowEndpoints, write_config
from windlass.deployments.local.client import HostClient, kept_host, sweep
from windlass.deployments.local.farewell import KeptStack
from windlass.deployments.local.layout import Layout
from windlass.deployments.local.messages import (
    Booted,
    DagReady,
    ImportFailed,
    Respawned,
    RunFinished,
    TaskChanged,
)
from windlass.deployments.local.progress import Progress
from windlass.deployments.local.report import DemoReport, count_rows
from windlass.deployments.local.target import Target
from windlass.deployments.local.warehouse import check_seed, compare_with_manifest, prepare_warehouse
from windlass.deployments.services.lock import exclusive
from windlass.deployments.services.ports import choose_port
from windlass.deployments.settings import Settings
from windlass.warehouse.embedded import EmbeddedPostgres

__all__ = ["Demo"]

_TERMINAL = {"success", "failed", "upstream_failed", "skipped", "removed"}


@dataclass
class Demo:
    """One demo run.

    Args:
        settings: The user's settings.
        layout: The prepared state folder.
        target: Which DAG to run, already checked.
        keep: Leave Airflow with its UI and Postgres running.
    """

    settings: Settings
    layout: Layout
    target: Target
    keep: bool
    progress: Progress
    kept: KeptStack | None = None

    def run(self) -> DemoReport:
        """Start what is needed, run the DAG, stop what was started.

        Raises:
            DeploymentError: With what happened and what to do.
        """
        began = time.monotonic()
        layout = self.layout
        with exclusive(layout.root), ExitStack() as stack:
            check_seed(layout, self.settings)
            self._end_leftovers()
            # Only a UI that stays needs an address to remember; two demos at once must not race for it.
            port = choose_port(
                self.settings.api_port, 8080 if self.keep else 0, option="--api-port", host=self.settings.host
            )
            # First: it imports libraries for a second, and needs nothing to do so.
            host = stack.enter_context(HostClient(layout, timeout=self.settings.start_timeout))
            server = stack.enter_context(self._postgres(layout))
            # Again, so that Airflow ends before the database that it works with.
            stack.push(host)
            endpoints = AirflowEndpoints(
                metadata_dsn=server.dsn("airflow"),
                host=self.settings.host,
                api_port=port,
                configs=self.target.folder,
                parallelism=self.settings.parallelism,
            )
            write_config(layout, endpoints)
            booting = time.monotonic()
            host.boot(ui=self.keep, warehouse_dsn=server.dsn("warehouse"))
            prepare_warehouse(server.dsn("warehouse"), layout, self.settings, self.progress)
            self._await_boot(host, booting)
            finished, run_id = self._follow(host)
            anomalies = None
            # The example's checks are made for a feed that has sales on every day.
            if self.target.built_in and self.settings.scale >= 1:
                anomalies = compare_with_manifest(server.dsn("warehouse"), layout, dag_id=self.target.dag_id)
            if self.keep:
                host.keep(endpoints)
                self.kept = KeptStack(
                    url=endpoints.api_url,
                    user="admin",
                    password=layout.admin_password(),
                    database=server.dsn("warehouse", with_password=False),
                )
        return DemoReport(
            state=finished.state,
            seconds=round(time.monotonic() - began, 2),
            dag_id=self.target.dag_id,
            run_id=run_id,
            tasks=finished.tasks,
            rows=count_rows(finished.tasks),
            anomalies=anomalies,
        )

    def _end_leftovers(self) -> None:
        kept = kept_host(self.layout) is not None
        if sweep(self.layout):
            left = (
                "the Airflow that --keep had left running"
                if kept
                else "processes that an earlier run had left"
            )
            self.progress.say(f"Ended {left}.")

    @contextmanager
    def _postgres(self, layout: Layout) -> Iterator[EmbeddedPostgres]:
        server = EmbeddedPostgres(
            layout.postgres, port=self.settings.postgres_port or 0, listen=self.settings.host
        )
        try:
            with self.progress.step("Postgres up"):
                server.start()
                for name in ("airflow", "warehouse"):
                    server.create_database(name)
            yield server
        except (ServiceFailedError, psycopg.Error) as error:
            status = server.status()
            if status.running:
                raise
            raise ServiceFailedError("Postgres", "ended while the demo ran", status.log) from error
        finally:
            if self.kept is None:
                server.stop()

    def _await_boot(self, host: HostClient, began: float) -> None:
        with self.progress.console.status("Airflow starting"):
            for event in host.events():
                if isinstance(event, Respawned):
                    self._tell_respawn(event)
                if isinstance(event, Booted):
                    break
        self.progress.done("Airflow up", time.monotonic() - began)

    def _follow(self, host: HostClient) -> tuple[RunFinished, str]:
        host.run(self.target.dag_id, timeout=self.settings.run_timeout)
        run_id = ""
        with self.progress.running() as running:
            for event in host.events(silence=self.settings.run_timeout + 30):
                match event:
                    case DagReady():
                        run_id = event.run_id
                        self.progress.say(f"DAG run {event.dag_id} ({len(event.tasks)} tasks)")
                    case TaskChanged(state="running"):
                        running.add(event.task_id)
                    case TaskChanged(state="up_for_retry"):
                        running.remove(event.task_id)
                        self.progress.say(f"  ! {event.task_id} failed; it is tried again")
                    case TaskChanged() if event.state in _TERMINAL:
                        running.remove(event.task_id)
                        self.progress.done(event.task_id, event.seconds or 0.0, state=event.state, indent=1)
                    case Respawned():
                        self._tell_respawn(event)
                    case ImportFailed():
                        raise ServiceFailedError("Airflow's DAG processor", _import_errors(event), None)
                    case RunFinished():
                        return event, run_id
                    case _:
                        pass
        raise AssertionError("the host's events end only with an error")

    def _tell_respawn(self, event: Respawned) -> None:
        self.progress.say(f"! {event.service} {event.reason}; started again")


def _import_errors(event: ImportFailed) -> str:
    return "\n".join(f"{name}:\n{text.strip()}" for name, text in event.errors.items())
