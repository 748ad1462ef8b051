"""Start, find and stop the embedded server; two starters get one server, and a crash is cleaned up by the next start."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import cluster as clusters
from windlass.warehouse.embedded.binaries import Binaries, find_binaries, run
from windlass.warehouse.embedded.process import (
    Postmaster,
    is_alive,
    read_postmaster,
    remove_leftovers,
    wait_until,
)
from windlass.warehouse.errors import EmbeddedError, PortTakenError, StartFailedError

__all__ = ["SYSTEM_DIR", "EmbeddedPostgres", "ServerStatus"]

SYSTEM_DIR = Path("/var/lib/windlass")
"""Where root's clusters lie when the server's account cannot reach the data folder."""

_LOOPBACK = "127.0.0.1"
_FREE_PORT_TRIES = 5
_LOG_KEPT_BYTES = 10_000_000

# The shell ends at once, so that init adopts the server: no zombie when it ends, no Ctrl-C from our terminal.
_DETACH = '"$@" >&2 & echo $!'


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
        listen: Address to listen on, beside the Unix socket.
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
        listen: str = _LOOPBACK,
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
        return clusters.SUPERUSER

    @property
    def password(self) -> str:
        """The superuser's password; keep it out of logs and command lines."""
        return self._cluster().password_file.read_text()

    def dsn(self, dbname: str = "postgres") -> str:
        """A libpq DSN for TCP, with the password in it; show it only through `mask_dsn`."""
        return make_conninfo(
            "", host=self._host(), port=self.port, dbname=dbname, user=self.user, password=self.password
        )

    def socket_dsn(self, dbname: str = "postgres") -> str:
        """A libpq DSN for the Unix socket, with the password in it; show it only through `mask_dsn`."""
        running = self._running()
        return make_conninfo(
            "", host=str(running.socket_dir), port=running.port, dbname=dbname, user=self.user, password=self.password
        )

    def status(self) -> ServerStatus:
        """Tell how the server stands; changes nothing."""
        cluster = self._cluster()
        found = read_postmaster(cluster.home)
        if found is None:
            return ServerStatus(False, self.data_dir, cluster.home, cluster.log)
        return ServerStatus(
            found.ready, self.data_dir, cluster.home, cluster.log, found.pid, found.port, found.listen, found.socket_dir
        )

    def start(self) -> ServerStatus:
        """Start the server, or attach to the one that runs.

        Returns:
            How it stands: running, and accepting connections.

        Raises:
            PortTakenError: The port asked for is another process's.
            StartFailedError: It ended while starting, or was not ready in time.
            EmbeddedError: It cannot be run here, or runs already with another port or address.
        """
        with self._lock():
            cluster = self._cluster()
            found = read_postmaster(cluster.home)
            if found is None:
                binaries = find_binaries(self._prefix).reachable_by(cluster.account, system_dir=self._system_dir)
                self._prepare(cluster, binaries)
                self._launch(cluster, binaries)
                self._started_here = True
            else:
                self._refuse_other_address(found)
                self._await_ready(cluster, found.pid, log_from=0)
        return self.status()

    def stop(self) -> bool:
        """Stop the server: sessions are ended, open transactions rolled back.

        Returns:
            Whether one was running.

        Raises:
            EmbeddedError: It did not end in time.
        """
        with self._lock():
            return self._stop(self._cluster())

    def destroy(self) -> None:
        """Stop the server and delete its data, wherever it lies; the data folder is left empty."""
        with self._lock():
            cluster = self._cluster()
            self._stop(cluster)
            for folder in (cluster.home, cluster.socket_dir):
                shutil.rmtree(folder, ignore_errors=True)
            for file in (cluster.password_file, cluster.log, self.data_dir / "port"):
                file.unlink(missing_ok=True)

    def create_database(self, name: str) -> bool:
        """Create a database unless it exists.

        Returns:
            Whether it was created.
        """
        with connect(self.dsn(), autocommit=True) as connection:
            # Two at once would both find it missing: they queue up behind each other.
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
                return False
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            return True

    def _cluster(self) -> clusters.Cluster:
        return clusters.locate(self.data_dir, system_dir=self._system_dir, account_name=self._account)

    def _running(self) -> Postmaster:
        found = read_postmaster(self._cluster().home)
        if found is None:
            raise EmbeddedError(f"No server runs in {self.data_dir}.", advice="Start it first.")
        return found

    def _host(self) -> str:
        listen = self._running().listen
        return _LOOPBACK if listen in ("*", "0.0.0.0", "localhost", "") else "::1" if listen == "::" else listen  # noqa: S104

    @contextmanager
    def _lock(self) -> Iterator[None]:
        # Owner-only, but searchable when root's server must get to its cluster inside.
        self.data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _refuse_other_address(self, found: Postmaster) -> None:
        other_port = self._requested_port not in (0, found.port)
        other_listen = self._listen not in (_LOOPBACK, found.listen)
        if other_port or other_listen:
            raise EmbeddedError(
                f"The server in {self.data_dir} already runs on {found.listen}, port {found.port} (pid {found.pid}).",
                advice="Use it there, or stop it first.",
            )

    def _prepare(self, cluster: clusters.Cluster, binaries: Binaries) -> None:
        if not cluster.exists:
            clusters.create(cluster, binaries, durable=self._durable)
        version = int((cluster.home / "PG_VERSION").read_text())
        if version != binaries.version:
            raise EmbeddedError(
                f"The data in {self.data_dir} is PostgreSQL {version}'s; the server here is {binaries.version}.",
                advice=f"Dump it with a server of version {version} and load it into a new folder.",
            )
        remove_leftovers(cluster.home, cluster.name, timeout=self._timeout)
        _private_folder(cluster)
        if cluster.log.exists() and cluster.log.stat().st_size > _LOG_KEPT_BYTES:
            cluster.log.rename(cluster.log.with_suffix(".log.1"))

    def _launch(self, cluster: clusters.Cluster, binaries: Binaries) -> None:
        for tries_left in reversed(range(_FREE_PORT_TRIES)):
            port = self._requested_port or self._remembered_or_free_port()
            _refuse_taken_port(self._listen, port)
            clusters.write_configuration(cluster, port=port, listen=self._listen, durable=self._durable)
            try:
                self._run_server(cluster, binaries, port)
            except PortTakenError:
                # Between looking for a free port and using it, someone else took it.
                if self._requested_port or not tries_left:
                    raise
            else:
                (self.data_dir / "port").write_text(str(port))
                return

    def _run_server(self, cluster: clusters.Cluster, binaries: Binaries, port: int) -> None:
        with cluster.log.open("ab") as log:
            log_from = log.tell()
            command: list[str | Path] = ["/bin/sh", "-c", _DETACH, "sh", binaries.path("postgres"), "-D", cluster.home]
            finished = run(command, cluster.account, stderr=log.fileno())
        try:
            self._await_ready(cluster, int(finished.stdout), log_from=log_from)
        except StartFailedError as error:
            if "Address already in use" in error.message:
                raise PortTakenError(port, listen=self._listen) from error
            raise

    def _await_ready(self, cluster: clusters.Cluster, pid: int, *, log_from: int) -> None:
        def ready() -> bool:
            found = read_postmaster(cluster.home)
            return found is not None and found.ready

        if not wait_until(lambda: ready() or not _exists(pid), timeout=self._timeout) or not ready():
            raise StartFailedError(
                f"The server in {self.data_dir} did not start: {_log_since(cluster.log, log_from)}",
                advice=f"Its log is {cluster.log}.",
            )
        connect(self.dsn()).close()

    def _remembered_or_free_port(self) -> int:
        try:
            remembered = int((self.data_dir / "port").read_text())
            _refuse_taken_port(self._listen, remembered)
        except (FileNotFoundError, ValueError, PortTakenError):
            with socket.socket() as probe:
                probe.bind((_LOOPBACK, 0))
                return int(probe.getsockname()[1])
        return remembered

    def _stop(self, cluster: clusters.Cluster) -> bool:
        found = read_postmaster(cluster.home)
        if found is None:
            return False
        # Fast shutdown, then immediate (recovers at the next start).
        for number, patience in ((signal.SIGINT, self._timeout), (signal.SIGQUIT, 5.0)):
            os.kill(found.pid, number)
            if wait_until(lambda: not is_alive(found.pid, cluster.home), timeout=patience):
                return True
        raise EmbeddedError(
            f"The server in {self.data_dir} (pid {found.pid}) does not end.", advice=f"Its log is {cluster.log}."
        )


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _private_folder(cluster: clusters.Cluster) -> None:
    folder = cluster.socket_dir
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid not in (os.geteuid(), cluster.account.uid) or status.st_mode & 0o077:
        raise EmbeddedError(f"{folder} is not a private folder of this server.", advice="Remove it and start again.")
    cluster.account.own(folder)
    # Nobody else uses the folder, and its server is not running.
    for leftover in folder.iterdir():
        leftover.unlink()


def _refuse_taken_port(listen: str, port: int) -> None:
    for address in listen.split(","):
        host = "" if address.strip() == "*" else address.strip()
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise EmbeddedError(
                f"{address.strip()!r} is not an address to listen on.", advice="Give an IP address of this machine."
            ) from error
        for family, kind, protocol, _, target in found:
            _try_bind(family, kind, protocol, target, listen)


def _try_bind(family: int, kind: int, protocol: int, target: Any, listen: str) -> None:
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(target)
        except OSError as error:
            if error.errno == 98:
                raise PortTakenError(target[1], listen=listen) from error
            raise EmbeddedError(
                f"Cannot listen on {target[0]}, port {target[1]}: {error.strerror}.",
                advice="Give an IP address of this machine, and a port above 1023 unless you are root.",
            ) from error


def _log_since(log: Path, position: int) -> str:
    with log.open("rb") as file:
        file.seek(position)
        lines = file.read().decode(errors="replace").splitlines()
    return " / ".join(lines[-5:]) or "it wrote nothing to its log"
