"""The server's settings: a local machine's share of memory, a password always, and durability by default."""

from __future__ import annotations

from windlass.warehouse.embedded.cluster import Cluster, write_private

__all__ = ["write_configuration"]

# Enough for tables of 10^8 rows without taking the machine from its owner.
_SETTINGS = {
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # No replicas here; a COPY into a table of its own transaction then needs no write-ahead log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %a ",
}
# Survives a crash of the server; a crash of the machine may cost the whole cluster.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}

_ADMISSION = """\
# Written at each start. A password is always asked for, on the socket too.
local all all scram-sha-256
host all all all scram-sha-256
"""


def write_configuration(cluster: Cluster, *, port: int, listen: str, durable: bool) -> None:
    """Write the settings of a server's next start; a user's own belong into ALTER SYSTEM, which wins.

    Args:
        cluster: Whose server.
        port: TCP port.
        listen: Addresses, comma-separated.
        durable: Whether commits survive a crash of the machine.
    """
    own = {
        "port": str(port),
        "listen_addresses": listen,
        "unix_socket_directories": str(cluster.socket_dir),
        "unix_socket_permissions": "0700",
        "cluster_name": cluster.name,
    }
    settings = _SETTINGS | ({} if durable else _NOT_DURABLE) | own
    text = "".join(f"{key} = {_quoted(value)}\n" for key, value in settings.items())
    for name, content in (("postgresql.conf", text), ("pg_hba.conf", _ADMISSION)):
        path = cluster.home / name
        write_private(path, content)
        cluster.account.own(path)


def _quoted(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
