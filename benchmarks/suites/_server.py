"""A migrated server of a benchmark's own, and psql for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from harness import Cost, run_process
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.embedded.binaries import find_binaries
from windlass.warehouse.migrations import migrate

__all__ = ["Server", "migrated_server", "own_server"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server with a migrated database."""

    dsn: str
    folder: Path

    def psql(self, *commands: str) -> list[str]:
        """The command line of psql that runs some commands; its password is in the environment."""
        bare = {key: value for key, value in conninfo_to_dict(self.dsn).items() if key != "password"}
        program = str(find_binaries().path("psql"))
        words = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", make_conninfo("", **bare)]
        return words + [word for command in commands for word in ("-c", command)]

    @property
    def env(self) -> dict[str, str]:
        """The password for psql, and the DSN for our own processes."""
        password = str(conninfo_to_dict(self.dsn).get("password") or "")
        return {"PGPASSWORD": password, "WINDLASS_WAREHOUSE_DSN": self.dsn}

    def run_psql(self, *commands: str) -> Cost:
        """Measure psql."""
        return run_process(self.psql(*commands), env=self.env)


@contextmanager
def own_server() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """Start a server in a folder of its own, for files beside it too; remove both afterwards."""
    with tempfile.TemporaryDirectory(prefix="windlass-benchmark-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        postgres = EmbeddedPostgres(folder / "postgres", system_dir=folder)
        postgres.start()
        try:
            yield postgres, folder
        finally:
            postgres.destroy()


@contextmanager
def migrated_server() -> Iterator[Server]:
    """A server of one's own with a migrated database."""
    with own_server() as (postgres, folder):
        postgres.create_database("warehouse")
        dsn = postgres.dsn("warehouse")
        migrate(dsn)
        yield Server(dsn, folder)
