"""A cluster's files: where they lie, how they come to be all at once, and how they go."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from windlass.warehouse.embedded.account import Account, can_reach, make_system_dir, service_account
from windlass.warehouse.embedded.binaries import Binaries, run
from windlass.warehouse.errors import EmbeddedError

__all__ = ["SUPERUSER", "Cluster", "create", "destroy", "locate", "prepare", "read_password", "write_private"]

SUPERUSER = "windlass"

# sun_path holds 107 bytes and a NUL (unix(7)); the longest socket name is `.s.PGSQL.65535`.
_SOCKET_FOLDER_LIMIT = 107 - len("/.s.PGSQL.65535")

_BUILTIN_LOCALE_SINCE = 17
_LOG_LIMIT = 10_000_000


@dataclass(frozen=True)
class Cluster:
    """Where one server's files are.

    Attributes:
        state_dir: The data folder as the user named it: password, log, lock.
        home: The folder PostgreSQL calls PGDATA, inside `state_dir` or below the system folder.
        account: Who runs the server.
    """

    state_dir: Path
    home: Path
    account: Account

    @property
    def exists(self) -> bool:
        """Whether it was created, and for this data folder: one outside may be left from a deleted folder."""
        known = self.home.parent == self.state_dir or self.location_file.exists()
        return known and (self.home / "PG_VERSION").exists()

    @property
    def location_file(self) -> Path:
        """Names the folder of PostgreSQL's own files when they lie outside the data folder."""
        return self.state_dir / "location"

    @property
    def port_file(self) -> Path:
        """The port used last."""
        return self.state_dir / "port"

    @property
    def pass_file(self) -> Path:
        """The superuser's password as libpq's `passfile`, readable by this process's user alone."""
        return self.state_dir / "pgpass"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.state_dir / "server.log"

    @cached_property
    def name(self) -> str:
        """The `cluster_name`, by which its processes are told from those of other clusters."""
        return f"windlass-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]}"

    @cached_property
    def socket_dir(self) -> Path:
        """A folder with a path short enough for a Unix socket that the account can reach."""
        beside = self.home.with_name(f"{self.home.name}.sock")
        if len(os.fsencode(beside)) <= _SOCKET_FOLDER_LIMIT and not set(str(beside)) & {",", '"', "'"}:
            return beside
        return Path("/tmp") / f"{self.name}.sock"  # noqa: S108 - its owner and mode are checked before it is used


def locate(state_dir: Path, *, system_dir: Path, account_name: str | None) -> Cluster:
    """Find or choose where a cluster lies.

    Args:
        state_dir: The data folder as the user named it.
        system_dir: Where it goes when the account cannot reach `state_dir`.
        account_name: Account to use when this process is root.

    Returns:
        The cluster, which need not exist yet.

    Raises:
        EmbeddedError: The folder is something else, another user's, or there is no account to run the server.
    """
    if (state_dir / "PG_VERSION").exists():
        raise EmbeddedError(
            f"{state_dir} is itself the data directory of a PostgreSQL server.",
            advice="Name an empty folder; the cluster goes inside it.",
        )
    inside = state_dir / "cluster"
    pointer = Cluster(state_dir, inside, service_account(name=account_name, owner_of=inside))
    if pointer.location_file.exists():
        home = Path(pointer.location_file.read_text())
        return Cluster(state_dir, home, service_account(name=account_name, owner_of=home))
    if inside.exists() or pointer.account.is_self or can_reach(inside, pointer.account):
        return pointer
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]
    return Cluster(state_dir, system_dir / f"cluster-{digest}", pointer.account)


def create(cluster: Cluster, binaries: Binaries, *, durable: bool) -> None:
    """Run initdb. The cluster appears at its place complete or not at all.

    Args:
        cluster: Where to create it.
        binaries: With what.
        durable: Whether the files are flushed to disk.

    Raises:
        EmbeddedError: initdb failed, or something else is in the way.
    """
    home = cluster.home
    outside = home.parent != cluster.state_dir
    if outside:
        make_system_dir(home.parent)
        # Left from a data folder of the same path that was deleted.
        shutil.rmtree(home, ignore_errors=True)
    elif home.exists():
        raise EmbeddedError(
            f"{home} is in the way: it is not a PostgreSQL cluster.",
            advice="Move it, or choose another folder.",
        )
    building = home.with_name(f"{home.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    cluster.account.own(building)
    password = secrets.token_urlsafe(24)
    try:
        _initdb(cluster, binaries, building, password=password, durable=durable)
    except EmbeddedError:
        shutil.rmtree(building, ignore_errors=True)
        raise
    write_private(cluster.pass_file, f"*:*:*:{SUPERUSER}:{password}\n")
    # Tells a person whose data this is, when they find it in the system folder.
    write_private(building / "windlass-data-folder", f"{cluster.state_dir}\n")
    building.rename(home)
    if outside:
        cluster.location_file.write_text(str(home))


def _initdb(cluster: Cluster, binaries: Binaries, building: Path, *, password: str, durable: bool) -> None:
    password_copy = building.with_name(f"{building.name}.password")
    write_private(password_copy, password)
    cluster.account.own(password_copy)
    command: list[str | Path] = [
        binaries.path("initdb"), "-D", building, "-U", SUPERUSER, f"--pwfile={password_copy}",
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
    ]  # fmt: skip
    if binaries.version >= _BUILTIN_LOCALE_SINCE:
        # Code-point order like C, and upper() and lower() that know more letters than ASCII's.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not durable:
        command.append("--no-sync")
    try:
        finished = run(command, cluster.account)
    finally:
        password_copy.unlink()
    if finished.returncode != 0:
        raise EmbeddedError(
            f"initdb could not create a cluster in {cluster.home}: {' '.join(finished.stderr.split())}",
            advice="Mend what it names (space, permissions) and start again; nothing was kept.",
        )


def prepare(cluster: Cluster, binaries: Binaries) -> None:
    """Check that a cluster can be started by these binaries, and make its socket folder and log ready.

    Raises:
        EmbeddedError: It cannot.
    """
    version = int((cluster.home / "PG_VERSION").read_text())
    if version != binaries.version:
        raise EmbeddedError(
            f"The data in {cluster.state_dir} is PostgreSQL {version}'s, and the server here is "
            f"{binaries.version}.",
            advice=f"Dump it with a server of version {version} and load it into a new folder.",
        )
    if not cluster.pass_file.exists():
        raise EmbeddedError(
            f"{cluster.pass_file} is missing, and without it nobody can connect.",
            advice=f"Restore it, or delete {cluster.home} to start with empty data.",
        )
    _prepare_socket_dir(cluster)
    if cluster.log.exists() and cluster.log.stat().st_size > _LOG_LIMIT:
        cluster.log.rename(cluster.log.with_suffix(".log.1"))


def _prepare_socket_dir(cluster: Cluster) -> None:
    folder = cluster.socket_dir
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if stat.S_IMODE(found.st_mode) != stat.S_IRWXU or found.st_uid not in (os.geteuid(), cluster.account.uid):
        raise EmbeddedError(
            f"{folder} is not this server's private folder.", advice="Remove it and start again."
        )
    cluster.account.own(folder)
    # Nobody else uses the folder and its server is not running: a stale socket lock would stop the next one.
    for leftover in folder.iterdir():
        leftover.unlink()


def destroy(cluster: Cluster) -> None:
    """Delete all files of a cluster whose server is stopped."""
    for folder in (cluster.home, cluster.home.with_name(f"{cluster.home.name}.new"), cluster.socket_dir):
        shutil.rmtree(folder, ignore_errors=True)
    old_log = cluster.log.with_suffix(".log.1")
    for file in (cluster.location_file, cluster.pass_file, cluster.port_file, cluster.log, old_log):
        file.unlink(missing_ok=True)


def read_password(cluster: Cluster) -> str:
    """The superuser's password."""
    # It is URL-safe text: nothing in it needs the escapes of the format.
    return cluster.pass_file.read_text().rstrip("\n").rpartition(":")[2]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, never readable by others even for a moment."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
