"""Start, find and stop the embedded server: two starters get one, the next start clears up after a crash."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg import sql
from psycopg.conninfo import make_conninfo

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded.binaries import Binaries, find_binaries
from windlass.warehouse.embedded.cluster import (
    SUPERUSER,
    Cluster,
    create,
    destroy,
    locate,
    prepare,
    read_password,
)
from windlass.warehouse.embedded.launch import await_ready, launch, shut_down
from windlass.warehouse.embedded.ports import LOOPBACK, address_to_reach
from windlass.warehouse.embedded.process import (
    Postmaster,
    is_alive,
    living_pid,
    read_postmaster,
    remove_leftovers,
    wait_until,
)
from windlass.warehouse.errors import ConnectionFailedError, EmbeddedError, NotRunningError
from windlass.warehouse.isolation import isolated

__all__ = ["SYSTEM_DIR", "EmbeddedPostgres", "ServerStatus"]

SYSTEM_DIR = Path("/var/lib/windlass")
"""Where root's clusters lie when the server's account cannot reach the data folder."""


_DEATH_SECONDS = 2.0
_UNDO_SECONDS = 10.0


@dataclass(frozen=True)
class ServerStatus:
    """How an embedded server stands.

    Attributes:
        running: Whether it runs and accepts connections.
        data_dir: Its data folder as the user named it.
        cluster_dir: Where PostgreSQL's own files are.
        log: Its log file.
        pid: Process id of its postmaster.
        port: TCP port.
        listen: First address it listens on.
        socket_dir: Folder of its Unix socket.
    """

    running: bool
    data_dir: Path
    cluster_dir: Path
    log: Path
    pid: int | None = None
    port: int | None = None
    listen: str | None = None
    socket_dir: Path | None = None


class EmbeddedPostgres:
    """A PostgreSQL server in a folder.

    Handles are cheap: any number in any process may name the same folder, and they share its one server.
    As a context manager a handle stops the server on leaving only if it started it.

    Args:
        data_dir: Folder for the data; made when it does not exist.
        port: TCP port; 0 takes the port of last time if it is free, else any free one.
        listen: Addresses to listen on beside the Unix socket, comma-separated, `*` for all.
        durable: Whether commits survive a crash of the machine. False makes it quick and is for tests:
            then only a crash of the server is survived.
        prefix: An installation of PostgreSQL 15 to 18 to use; by default the extra `embedded`'s.
        account: Account that runs the server when this process is root; by default `postgres` or `nobody`.
        system_dir: Where the data goes when this process is root and that account cannot reach `data_dir`.
        timeout: Seconds to wait for the server to start or to stop.
    """

    def __init__(
        self,
        data_dir: str | Path,
        *,
        port: int = 0,
        listen: str = LOOPBACK,
        durable: bool = True,
        prefix: Path | None = None,
        account: str | None = None,
        system_dir: Path = SYSTEM_DIR,
        timeout: float = 60.0,
    ) -> None:
        self.data_dir = Path(data_dir).expanduser().resolve()
        self._requested_port = port
        self._listen = listen
        self._durable = durable
        self._prefix = prefix
        self._account = account
        self._system_dir = system_dir
        self._timeout = timeout
        self._started_here = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.data_dir)!r})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started_here:
            self.stop()

    @property
    def started_here(self) -> bool:
        """Whether this handle started the server that it has, rather than attach to a running one."""
        return self._started_here

    @property
    def port(self) -> int:
        """TCP port of the running server."""
        return self._running().port

    @property
    def pid(self) -> int:
        """Process id of the running server's postmaster."""
        return self._running().pid

    @property
    def user(self) -> str:
        """Name of the superuser."""
        return SUPERUSER

    @property
    def password(self) -> str:
        """The superuser's password; keep it out of logs and command lines."""
        return read_password(self._cluster())

    def dsn(self, dbname: str = "postgres", *, over_socket: bool = False, with_password: bool = True) -> str:
        """Tell how to connect. What libpq would take from its environment is stated, as far as it can be.

        PGSERVICE, PGDATESTYLE, PGTZ and what only libpq 16 and newer know have no keyword to put here:
        `windlass.warehouse.connection.connect` hides them, others must drop such variables themselves.

        Args:
            dbname: Database to connect to.
            over_socket: Whether to use the Unix socket rather than TCP.
            with_password: Whether the password stands in it, so that it may only be shown through `mask_dsn`,
                or the file that libpq finds it in, which this process's user alone can read.

        Returns:
            A libpq DSN.

        Raises:
            NotRunningError: The server does not run.
        """
        running = self._running()
        host = str(running.socket_dir) if over_socket else address_to_reach(running.listen)
        secret = (
            {"password": self.password} if with_password else {"passfile": str(self._cluster().pass_file)}
        )
        address = {**isolated(host=host), "port": str(running.port), "dbname": dbname, "user": self.user}
        return make_conninfo("", **address, **secret)

    def status(self) -> ServerStatus:
        """Tell how the server stands; changes nothing."""
        cluster = self._cluster()
        files = (self.data_dir, cluster.home, cluster.log)
        found = read_postmaster(cluster.home)
        if found is None:
            return ServerStatus(False, *files)
        return ServerStatus(True, *files, found.pid, found.port, found.listen, found.socket_dir)

    def start(self) -> ServerStatus:
        """Start the server, or attach to the one that runs. After a failure nothing that it launched is left.

        Returns:
            How it stands: running, and accepting connections.

        Raises:
            PortTakenError: The port asked for is another process's.
            StartFailedError: It ended while starting, or was not ready in time.
            EmbeddedError: It cannot be run here, or runs already with another port or address.
        """
        self._started_here = False
        with self._lock():
            cluster = self._cluster()
            if cluster.exists and self._attach(cluster):
                return self.status()
            binaries = self._make_ready(cluster)
            try:
                found = self._launch(cluster, binaries)
            except BaseException:
                self._undo_launch(cluster)
                raise
            self._started_here = True
        return found

    def _attach(self, cluster: Cluster) -> bool:
        pid = living_pid(cluster.home)
        # One that is shutting down ends while it is waited for.
        if pid is None or not await_ready(cluster, pid, timeout=self._timeout):
            return False
        try:
            self._refuse_other_address(self._running())
            connect(self.dsn()).close()
        except (ConnectionFailedError, NotRunningError):
            # A server that was killed this moment is still seen, and answers no more.
            if wait_until(lambda: not is_alive(pid, cluster.home), timeout=_DEATH_SECONDS):
                return False
            raise
        return True

    def _make_ready(self, cluster: Cluster) -> Binaries:
        binaries = find_binaries(self._prefix).reachable_by(cluster.account, system_dir=self._system_dir)
        remove_leftovers(cluster.home, cluster.name, timeout=self._timeout)
        if not cluster.exists:
            create(cluster, binaries, durable=self._durable)
        prepare(cluster, binaries)
        return binaries

    def _launch(self, cluster: Cluster, binaries: Binaries) -> ServerStatus:
        launch(
            cluster,
            binaries,
            port=self._requested_port,
            listen=self._listen,
            durable=self._durable,
            timeout=self._timeout,
        )
        connect(self.dsn()).close()
        return self.status()

    def _undo_launch(self, cluster: Cluster) -> None:
        # One that does not end, or has not written its pid file yet, is killed: no commit is lost.
        try:
            with suppress(EmbeddedError):
                shut_down(cluster, timeout=min(self._timeout, _UNDO_SECONDS))
        finally:
            remove_leftovers(cluster.home, cluster.name, timeout=_UNDO_SECONDS)

    def stop(self) -> bool:
        """Stop the server, whoever started it: sessions are ended, open transactions rolled back.

        Returns:
            Whether one was running.

        Raises:
            EmbeddedError: It did not end in time.
        """
        if not self.data_dir.exists():
            return False
        with self._lock():
            return shut_down(self._cluster(), timeout=self._timeout)

    def destroy(self) -> None:
        """Stop the server and delete its data, wherever it lies; of the data folder only its lock is left."""
        if not self.data_dir.exists():
            return
        with self._lock():
            cluster = self._cluster()
            shut_down(cluster, timeout=self._timeout)
            remove_leftovers(cluster.home, cluster.name, timeout=self._timeout)
            destroy(cluster)

    def create_database(self, name: str) -> bool:
        """Create a database unless it exists.

        Args:
            name: Its name, used as it is.

        Returns:
            Whether it was created.
        """
        with connect(self.dsn(), autocommit=True) as connection:
            # Two at once would both find it missing; so they queue up. The lock ends with the session.
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
                return False
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            return True

    def _cluster(self) -> Cluster:
        return locate(self.data_dir, system_dir=self._system_dir, account_name=self._account)

    def _running(self) -> Postmaster:
        found = read_postmaster(self._cluster().home)
        if found is None:
            raise NotRunningError(f"No server runs in {self.data_dir}.", advice="Start it first.")
        return found

    @contextmanager
    def _lock(self) -> Iterator[None]:
        # Private, but for root's server, which is another account and must get to its cluster inside.
        try:
            self.data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EmbeddedError(
                f"The folder {self.data_dir} cannot be used: {error.strerror}.",
                advice="Choose one that this user owns; a server is run by the user who started it first.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _refuse_other_address(self, found: Postmaster) -> None:
        other_port = self._requested_port not in (0, found.port)
        other_listen = self._listen.split(",")[0] not in (LOOPBACK, found.listen)
        if other_port or other_listen:
            raise EmbeddedError(
                f"The server in {self.data_dir} already runs on {found.listen}, port {found.port} "
                f"(pid {found.pid}).",
                advice="Use it there, or stop it first.",
            )
