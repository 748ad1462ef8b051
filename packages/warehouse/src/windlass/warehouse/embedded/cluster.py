"""A cluster's files: where they lie, how they are made, and how the server is set up for a local machine."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from windlass.warehouse.embedded.account import Account, can_reach, service_account
from windlass.warehouse.embedded.binaries import Binaries, run
from windlass.warehouse.errors import EmbeddedError

__all__ = ["SUPERUSER", "Cluster", "create", "locate", "write_configuration", "write_private"]

SUPERUSER = "windlass"

# sun_path holds 107 bytes and a NUL (unix(7)); the longest socket name is `.s.PGSQL.65535`.
_SOCKET_FOLDER_LIMIT = 107 - len("/.s.PGSQL.65535")

_BUILTIN_LOCALE_SINCE = 17


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
        """Whether it was completely created."""
        return (self.home / "PG_VERSION").exists() and self.password_file.exists()

    @property
    def password_file(self) -> Path:
        """The superuser's password, readable by this process's user alone."""
        return self.state_dir / "password"

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
    """
    inside = state_dir / "cluster"
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]
    outside = system_dir / f"cluster-{digest}"
    if inside.exists() or os.geteuid() != 0:
        return Cluster(state_dir, inside, service_account(name=account_name, owner_of=inside))
    account = service_account(name=account_name, owner_of=outside)
    return Cluster(state_dir, inside if can_reach(inside, account) else outside, account)


def create(cluster: Cluster, binaries: Binaries, *, durable: bool) -> None:
    """Run initdb. The cluster appears at its place complete or not at all.

    Args:
        cluster: Where to create it.
        binaries: With what.
        durable: Whether the files are flushed to disk.

    Raises:
        EmbeddedError: initdb failed.
    """
    home = cluster.home
    building = home.with_name(f"{home.name}.new")
    for leftover in (building, home):
        shutil.rmtree(leftover, ignore_errors=True)
    home.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    building.mkdir(mode=0o700)
    cluster.account.own(building)
    password = secrets.token_urlsafe(24)
    password_copy = building.with_suffix(".password")
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
        shutil.rmtree(building, ignore_errors=True)
        raise EmbeddedError(
            f"initdb could not create a cluster in {home}: {finished.stderr.strip()}",
            advice="Mend what it names (space, permissions) and start again; nothing was kept.",
        )
    write_private(cluster.password_file, password)
    building.rename(home)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, never readable by others even for a moment."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


# A local machine's share: enough for 10^8 rows without taking the machine from its owner.
_SETTINGS = {
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # No replicas here; a COPY into a table of its own transaction then needs no write-ahead log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %a ",
}
# A crash of the machine may cost the whole cluster; a crash of the server costs nothing.
_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum_naptime": "1min"}

_ADMISSION = """\
# Written at each start. A password is always asked for, on the socket too.
local all all scram-sha-256
host all all all scram-sha-256
"""


def write_configuration(cluster: Cluster, *, port: int, listen: str, durable: bool) -> None:
    """Write the server's settings for its next start; what a user adds to `postgresql.conf` wins nothing here.

    Args:
        cluster: Whose settings.
        port: TCP port.
        listen: Addresses, comma-separated, as `listen_addresses`.
        durable: Whether commits survive a crash of the machine.
    """
    own = {
        "port": str(port),
        "listen_addresses": listen,
        "unix_socket_directories": str(cluster.socket_dir),
        "unix_socket_permissions": "0700",
        "cluster_name": cluster.name,
    }
    settings = _SETTINGS | ({} if durable else _FAST) | own
    lines = [f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in settings.items()]
    for name, text in (("postgresql.conf", "".join(lines)), ("pg_hba.conf", _ADMISSION)):
        path = cluster.home / name
        write_private(path, text)
        cluster.account.own(path)
