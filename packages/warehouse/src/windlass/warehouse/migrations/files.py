"""Migration files as data: version, name, group and checksum, read from the installed package."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise

from windlass.warehouse.errors import MigrationError

__all__ = ["Migration", "load_migrations"]

_NAME = re.compile(r"(?P<version>\d{4})_(?P<group>[a-z]+)(?:_[a-z0-9_]+)?\.sql")


@dataclass(frozen=True)
class Migration:
    r"""One migration file.

    Attributes:
        version: The number its name begins with; the order of application.
        name: File name without suffix, e.g. `0001_ops`.
        group: The schema it belongs to, the first word after the number.
        sql: Its text, line ends as `\n`.
    """

    version: int
    name: str
    group: str
    sql: str = field(repr=False)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text in lower-case hex; a checkout with other line ends gives the same."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(folder: Traversable | None = None) -> tuple[Migration, ...]:
    """Read all migration files.

    Args:
        folder: Where they are; by default those shipped with the package.

    Returns:
        The migrations by version.

    Raises:
        MigrationError: A file is misnamed, or two have the same version.
    """
    home = folder if folder is not None else resources.files(__package__)
    found = sorted((_read(entry) for entry in _sql_files(home)), key=lambda migration: migration.version)
    for earlier, later in pairwise(found):
        if earlier.version == later.version:
            raise MigrationError(
                f"Migrations {earlier.name} and {later.name} have the same version.",
                migration=later.name,
                advice="Give the newer one the next free number.",
            )
    return tuple(found)


def _sql_files(home: Traversable) -> Iterable[Traversable]:
    return (entry for entry in home.iterdir() if entry.name.endswith(".sql"))


def _read(entry: Traversable) -> Migration:
    match = _NAME.fullmatch(entry.name)
    if match is None:
        raise MigrationError(
            f"{entry.name} is not the name of a migration.",
            migration=entry.name,
            advice="Name it NNNN_group.sql or NNNN_group_what_it_does.sql, e.g. 0005_ops_fence.sql.",
        )
    text = entry.read_bytes().decode().replace("\r\n", "\n")
    return Migration(
        version=int(match["version"]), name=entry.name.removesuffix(".sql"), group=match["group"], sql=text
    )
