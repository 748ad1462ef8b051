"""Write the manifest so that it appears whole, and only beside the rows it tells of."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from windlass.warehouse.errors import SeedError

__all__ = ["ManifestFile"]

_MODE = 0o644


class ManifestFile:
    """A manifest in the making; a context manager.

    Lines go to a file without a name, so that whatever ends the process leaves nothing. `prepare` gives them
    a temporary name shortly before the transaction commits, when a full disk can still roll it back;
    `publish` renames that after the commit.
    """

    def __init__(self, path: Path | None) -> None:
        """Begin a manifest.

        Args:
            path: Where it will be; with None its lines are dropped.

        Raises:
            SeedError: The folder does not exist or cannot be written to.
        """
        self._path = path
        self._ready: Path | None = None
        self._lines: IO[bytes] | None = None
        if path is None:
            return
        if path.is_dir():
            raise SeedError(f"The manifest {path} is a folder.", advice="Name a file with --manifest.")
        try:
            self._lines = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115
        except OSError as error:
            raise SeedError(
                f"The manifest {path} cannot be written: {error.strerror}.",
                advice="Name a file in an existing folder you may write to with --manifest.",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lines is not None:
            self._lines.close()
        if self._ready is not None:
            self._ready.unlink(missing_ok=True)

    def write(self, lines: bytes) -> None:
        """Add lines."""
        if self._lines is not None:
            self._lines.write(lines)

    def prepare(self) -> None:
        """Have all lines on disk under a temporary name."""
        if self._path is None or self._lines is None:
            return
        descriptor, name = tempfile.mkstemp(
            prefix=f".{self._path.name}.", suffix=".tmp", dir=self._path.parent
        )
        self._ready = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            self._lines.seek(0)
            shutil.copyfileobj(self._lines, file, 1 << 20)
            file.flush()
            os.fchmod(file.fileno(), _MODE)
            os.fsync(file.fileno())

    def publish(self) -> None:
        """Let the manifest appear."""
        if self._path is not None and self._ready is not None:
            self._ready.replace(self._path)
            self._ready = None
