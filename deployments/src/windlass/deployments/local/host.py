"""The process that holds Airflow's services: imports Airflow once, forks them, keeps them alive, ends them.

Run as ``python -m windlass.deployments.local.host STATE_DIR`` by the command, which speaks to it through its
standard input and output (see `messages`). When the command is gone and has not said `Keep`, it ends too.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from windlass.deployments.local import components
from windlass.deployments.local.components import Component
from windlass.deployments.local.layout import Layout
from windlass.deployments.local.messages import (
    Boot,
    Booted,
    Broken,
    Command,
    Event,
    Keep,
    Respawned,
    Run,
    Stop,
    commands,
)

__all__ = ["Host", "main"]

_MOST_DEATHS = 3


class _Ended(Exception):  # noqa: N818 - control flow, no error
    """Leaves the host's loop, from wherever it waits."""


class Host:
    """Holds the services of one stack.

    Args:
        layout: The stack's state folder.
        orders: File descriptor that commands are read from.
        reports: File descriptor that events are written to.
    """

    def __init__(self, layout: Layout, *, orders: int, reports: int) -> None:
        self._layout = layout
        self._orders: int | None = orders
        self._reports: int | None = reports
        self._unread = b""
        self._queue: deque[Command] = deque()
        self._services: list[Component] = []
        self._kept = False
        self._booted_at = datetime.now(UTC)
        self._wake, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_term)

    def serve(self) -> None:
        """Carry out commands until told to stop."""
        try:
            while True:
                self._pump(3600)
                while self._queue:
                    self._obey(self._queue.popleft())
        except _Ended:
            pass
        finally:
            self._stop_services()

    def _obey(self, command: Command) -> None:
        match command:
            case Boot():
                self._boot(command)
            case Run():
                self._run(command)
            case Keep():
                self._kept = True
            case Stop():
                raise _Ended

    def _boot(self, order: Boot) -> None:
        components.preload()
        os.environ["AIRFLOW_API_APPS"] = order.apps
        names = {component.name: component for component in components.COMPONENTS}
        api = names.pop("api-server")
        api.arguments = ("api-server", "--apps", order.apps)
        # First, because it has the most to do; it needs no database until it is asked something.
        self._start(api)
        _prepare_metadata(order.warehouse_dsn, self._layout.inbox)
        from windlass.deployments.local import runs

        runs.give_up_unfinished()
        self._booted_at = datetime.now(UTC)
        for component in names.values():
            self._start(component)
        self._await_api()
        self._report(Booted())

    def _start(self, component: Component) -> None:
        components.fork(component, log=self._layout.logs / f"{component.name}.log")
        if component not in self._services:
            self._services.append(component)

    def _await_api(self) -> None:
        from airflow.configuration import conf

        # The execution API builds its versioned routes, for 3 CPU-seconds, when it is first asked anything.
        url = conf.get_mandatory_value("core", "execution_api_server_url") + "health"
        while True:
            try:
                with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own loopback address
                    if answer.status == 200:  # noqa: PLR2004
                        return
            except (urllib.error.URLError, OSError):
                self._pump(0.05)

    def _run(self, order: Run) -> None:
        from windlass.deployments.local import runs

        for event in runs.run(
            order, since=self._booted_at, task_logs=self._layout.task_logs, wait=lambda: self._pump(0.1)
        ):
            self._report(event)

    def _pump(self, timeout: float) -> None:
        """Wait for a command, a dead child or the time-out; restart what died."""
        watched = [self._wake] if self._orders is None else [self._wake, self._orders]
        ready, _, _ = select.select(watched, [], [], timeout)
        if self._orders in ready:
            self._read_orders()
        if self._wake in ready:
            _drain(self._wake)
            self._reap()

    def _read_orders(self) -> None:
        assert self._orders is not None
        chunk = os.read(self._orders, 65536)
        if not chunk:
            if not self._kept:
                raise _Ended
            self._orders = None
            return
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            command = commands.validate_json(line)
            if isinstance(command, Stop):
                raise _Ended
            self._queue.append(command)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for component in self._services:
                if component.pid == pid:
                    self._revive(component, os.waitstatus_to_exitcode(status))

    def _revive(self, component: Component, code: int) -> None:
        reason = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        component.deaths.append(reason)
        if len(component.deaths) > _MOST_DEATHS:
            self._report(
                Broken(service=component.name, reason=f"{reason}, for the {len(component.deaths)}th time")
            )
            raise _Ended
        components.kill_strays({service.pid for service in self._services if service is not component})
        if component.job_type:
            _mark_job_dead(component.job_type)
        self._start(component)
        self._report(Respawned(service=component.name, reason=reason))

    def _stop_services(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        alive = {component.pid: component for component in self._services}
        # Airflow's services take the second request as "do not wait for running tasks and triggers".
        for number, patience in ((signal.SIGTERM, 2.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 2.0)):
            for pid in alive:
                _signal(pid, number)
            deadline = time.monotonic() + patience
            while alive and time.monotonic() < deadline:
                _forget_ended(alive)
                select.select([], [], [], 0.02)
        components.kill_strays(set())

    def _report(self, event: Event) -> None:
        if self._reports is None:
            return
        try:
            os.write(self._reports, event.line())
        except BrokenPipeError:
            self._reports = None

    def _on_term(self, *_: object) -> None:
        raise _Ended


def _prepare_metadata(warehouse_dsn: str, inbox: Path) -> None:
    from airflow.models.connection import Connection
    from airflow.utils import db
    from airflow.utils.session import create_session
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy import delete

    db.initdb()
    given = conninfo_to_dict(warehouse_dsn)
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id.in_(["warehouse_default", "inbox"])))
        session.add(
            Connection(
                conn_id="inbox",
                conn_type="fs",
                description="The local stack's folder for files that arrive.",
                extra={"path": str(inbox)},
            )
        )
        session.add(
            Connection(
                conn_id="warehouse_default",
                conn_type="postgres",
                description="The local stack's warehouse.",
                host=str(given["host"]),
                port=int(given["port"] or 5432),
                schema=str(given["dbname"]),
                login=str(given["user"]),
                password=str(given["password"]) if "password" in given else None,
            )
        )


def _mark_job_dead(job_type: str) -> None:
    """Tell the successor that nobody holds the dead service's tasks; it would wait 30 s for a heartbeat."""
    from airflow.jobs.job import Job
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(
            update(Job).where(Job.job_type == job_type, Job.state == "running").values(state="failed")
        )


def _forget_ended(alive: dict[int, Component]) -> None:
    for pid in list(alive):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended = pid
        if ended:
            del alive[pid]


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 4096):
            pass
    except BlockingIOError:
        return


def main(arguments: Iterable[str] | None = None) -> None:
    """Entry point of the host's process."""
    (state_dir,) = sys.argv[1:] if arguments is None else list(arguments)
    layout = Layout(Path(state_dir))
    orders, reports = os.dup(0), os.dup(1)
    for descriptor in (orders, reports):
        os.set_inheritable(descriptor, False)
    log = os.open(layout.logs / "host.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    components.adopt_orphans()
    components.preload_libraries()
    Host(layout, orders=orders, reports=reports).serve()


if __name__ == "__main__":
    main()
