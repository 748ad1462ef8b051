"""An embedded server for a few seconds; one that a killed process left running is ended by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from windlass.warehouse.embedded import EmbeddedPostgres

__all__ = ["throwaway_server"]

_PREFIX = "windlass-check-"


@contextmanager
def throwaway_server() -> Iterator[str]:
    """Run a server in a folder of its own, and delete both afterwards.

    Yields:
        A DSN of its superuser, with the password in it.
    """
    _end_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Another account runs the server when this process is root, and must reach it.
    folder.chmod(0o711)
    # The lock ends with the process, however that ends; the server does not.
    user = os.open(folder / "user", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(user, fcntl.LOCK_EX)
        server = _server(folder)
        try:
            server.start()
            yield server.dsn()
        finally:
            _end(folder)
    finally:
        os.close(user)


def _server(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder / "server", durable=False, system_dir=folder / "system")


def _end(folder: Path) -> None:
    _server(folder).destroy()
    shutil.rmtree(folder)


def _end_left_behind() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # It may be another user's, or be deleted by its own process at this moment.
        with suppress(FileNotFoundError, PermissionError, BlockingIOError):
            if folder.lstat().st_uid != os.geteuid() or folder.is_symlink():
                continue
            user = os.open(folder / "user", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(user, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _end(folder)
            finally:
                os.close(user)
