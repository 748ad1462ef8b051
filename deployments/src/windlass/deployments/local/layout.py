"""Where the local stack keeps what it writes, and the secrets it makes for itself."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from windlass.deployments.errors import MisuseError

__all__ = ["Layout", "write_private"]

_STACK_ID = "stack-id"


@dataclass(frozen=True)
class Layout:
    """The state folder's paths. Everything below it can be deleted when the stack is down."""

    root: Path

    def prepare(self) -> None:
        """Make the folders, readable by their owner alone: they hold credentials and data.

        Raises:
            MisuseError: The folder holds something else; its permissions are not touched.
        """
        if not self.root.exists():
            self.root.mkdir(parents=True)
            # Root's Postgres runs under another account, which has to pass through to its data folder.
            self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
        elif not (self.root / _STACK_ID).exists() and any(self.root.iterdir()):
            raise MisuseError(
                f"{self.root} holds something else than a stack's state.",
                "Give a new or empty folder with --state-dir.",
            )
        self.stack_id()
        for folder in (self.airflow_home, self.logs, self.inbox):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME of the stack."""
        return self.root / "airflow"

    @property
    def airflow_config(self) -> Path:
        """Airflow's own configuration file; it holds credentials (0600)."""
        return self.airflow_home / "airflow.cfg"

    @property
    def passwords(self) -> Path:
        """Airflow's user names and passwords as its simple auth manager reads them (0600)."""
        return self.airflow_home / "passwords.json"

    @property
    def logs(self) -> Path:
        """One log file a service."""
        return self.root / "logs"

    @property
    def task_logs(self) -> Path:
        """Airflow's logs, a file for each try of a task."""
        return self.airflow_home / "logs"

    @property
    def postgres(self) -> Path:
        """The embedded server's data."""
        return self.root / "postgres"

    @property
    def inbox(self) -> Path:
        """Where files arrive that DAGs wait for; the Airflow connection `inbox` leads there."""
        return self.root / "inbox"

    @property
    def manifest(self) -> Path:
        """Ground truth of the seeded problems."""
        return self.root / "seed-manifest.jsonl"

    @property
    def seeded(self) -> Path:
        """What the warehouse was seeded with."""
        return self.root / "seeded.json"

    @property
    def host_record(self) -> Path:
        """Which process holds the running services, and where they listen."""
        return self.root / "host.json"

    def stack_id(self) -> str:
        """The id that marks this stack's processes."""
        return self._secret(_STACK_ID, lambda: secrets.token_hex(16))

    def jwt_secret(self) -> str:
        """Signs the tokens between Airflow's services."""
        return self._secret("jwt-secret", lambda: secrets.token_hex(32))

    def fernet_key(self) -> str:
        """Encrypts connections in Airflow's metadata database."""
        return self._secret(
            "fernet-key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")
        )

    def admin_password(self) -> str:
        """Password of the user ``admin``, made on first use."""
        if not self.passwords.exists():
            write_private(self.passwords, json.dumps({"admin": secrets.token_urlsafe(12)}))
        return str(json.loads(self.passwords.read_text(encoding="utf-8"))["admin"])

    def _secret(self, name: str, make: Callable[[], str]) -> str:
        path = self.root / name
        if not path.exists():
            write_private(path, make())
        return path.read_text(encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all, readable by its owner alone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
