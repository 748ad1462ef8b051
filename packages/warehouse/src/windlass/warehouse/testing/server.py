"""One server for a whole test run: shared by its processes, and stopped when the last of them is gone."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres

__all__ = ["SERVER_VARIABLE", "WarehouseDatabase", "WarehouseServer", "release", "server_of_run"]

SERVER_VARIABLE = "WINDLASS_TEST_DSN"


@dataclass(frozen=True)
class WarehouseDatabase:
    """A database for a test.

    Attributes:
        name: Its name.
        dsn: A libpq DSN for it, with the password in it.
    """

    name: str
    dsn: str = field(repr=False)

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a connection to it."""
        return connect(self.dsn, application_name="windlass-test", autocommit=autocommit)


@dataclass(frozen=True)
class WarehouseServer:
    """A server for tests.

    Attributes:
        base_dsn: A libpq DSN of a database to administer it from, with the password in it.
        copy_strategy: How it copies a database. `file_copy` goes through checkpoints: where nothing is
            flushed to disk it takes a third of the time of `wal_log` (0.11 s, 0.37 s), elsewhere more.
    """

    base_dsn: str = field(repr=False)
    copy_strategy: Literal["wal_log", "file_copy"] = "wal_log"

    def dsn(self, dbname: str = "postgres") -> str:
        """A libpq DSN for one of its databases."""
        return make_conninfo(self.base_dsn, dbname=dbname)

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[WarehouseDatabase]:
        """Create a database, and drop it afterwards, sessions and all.

        Args:
            template: Database to copy.
        """
        name = f"windlass_test_{uuid.uuid4().hex[:16]}"
        create = sql.SQL("create database {} template {} strategy {}").format(
            sql.Identifier(name), sql.Identifier(template), sql.SQL(self.copy_strategy)
        )
        drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        with connect(self.base_dsn, application_name="windlass-test", autocommit=True) as connection:
            connection.execute(create)
        try:
            yield WarehouseDatabase(name, self.dsn(name))
        finally:
            with connect(self.base_dsn, application_name="windlass-test", autocommit=True) as connection:
                connection.execute(drop)


@contextmanager
def server_of_run() -> Iterator[WarehouseServer]:
    """The server of this test run: the given one, else an embedded one that all its processes share."""
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        yield WarehouseServer(given)
        return
    with _use(_folder_of_run()) as server:
        yield WarehouseServer(server.dsn(), copy_strategy="file_copy")


def _folder_of_run() -> Path:
    # xdist gives all workers of a run one id, which nobody can guess. In /tmp, because the server's account
    # must reach it, which it cannot in pytest's own 0700 folder.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    return Path("/tmp") / f"windlass-test-{hashlib.sha256(run.encode()).hexdigest()[:16]}"  # noqa: S108


def _server(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, durable=False, system_dir=folder)


@contextmanager
def _use(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Share a folder's server: each user holds a shared lock, which ends with the user, however that ends."""
    users = _join(folder)
    try:
        server = _server(folder)
        server.start()
        if server.started_here:
            _post_guard(folder)
        yield server
    finally:
        os.close(users)
        release(folder, wait=False)


def _join(folder: Path) -> int:
    while True:
        folder.mkdir(mode=0o711, exist_ok=True)
        try:
            users = os.open(folder / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # deleted by the last user before us, between the two calls
        fcntl.flock(users, fcntl.LOCK_SH)
        if _is_current(users, folder):
            return users
        os.close(users)


def _is_current(users: int, folder: Path) -> bool:
    # While we waited for the lock its holder may have deleted the folder, and another user made it anew.
    try:
        return os.path.samestat(os.fstat(users), (folder / "users").stat())
    except FileNotFoundError:
        return False


def _post_guard(folder: Path) -> None:
    # Through a shell that ends at once, so that the guard is nobody's child and outlives a killed worker.
    guard = [sys.executable, "-m", "windlass.warehouse.testing.guard", str(folder)]
    subprocess.run(
        ["/bin/sh", "-c", '"$@" &', "sh", *guard],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )


def release(folder: Path, *, wait: bool) -> bool:
    """Stop the server of a folder and delete it, once nobody uses it.

    Args:
        folder: The test run's folder.
        wait: Whether to wait for the last user, or to leave it to them.

    Returns:
        Whether this call did it.
    """
    try:
        users = os.open(folder / "users", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(users, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_current(users, folder):
            return False
        _server(folder).stop()
        shutil.rmtree(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(users)
    return True
