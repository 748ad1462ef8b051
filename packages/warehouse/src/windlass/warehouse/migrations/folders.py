"""Where migrations come from: the package's own, then each folder a team names; all problems told at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from operator import attrgetter
from os import PathLike
from pathlib import Path

from windlass.warehouse.errors import MigrationFilesError
from windlass.warehouse.migrations.files import OURS, BadFileError, Migration, parse_migration

__all__ = ["Folder", "MigrationFolder", "load_migrations"]

_COLLECTION = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LARGEST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class MigrationFolder:
    """A team's folder of migrations.

    Attributes:
        path: The folder.
        collection: Name the ledger keeps its migrations under; by default the folder's own.
    """

    path: Path
    collection: str = ""

    @classmethod
    def parse(cls, text: str) -> MigrationFolder:
        """Read `FOLDER` or `NAME=FOLDER`."""
        name, equals, path = text.partition("=")
        is_named = equals and _COLLECTION.fullmatch(name)
        # A shell expands ~ at a word's beginning alone, which is not where it stands in NAME=~/folder.
        return cls(Path(path).expanduser(), name) if is_named else cls(Path(text).expanduser())

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.collection or self.path.resolve().name


Folder = MigrationFolder | str | PathLike[str]


def load_migrations(folders: Sequence[Folder] = ()) -> tuple[Migration, ...]:
    """Read all migration files.

    Args:
        folders: Folders of a team's own migrations, beside those of the package.

    Returns:
        The package's migrations by version, then each folder's.

    Raises:
        MigrationFilesError: With all that is wrong with any of the files.
    """
    given = [each if isinstance(each, MigrationFolder) else MigrationFolder(Path(each)) for each in folders]
    problems = list(_name_problems(given))
    found = [*_shipped()]
    for folder in given:
        found += _read_folder(folder, problems)
    if problems:
        raise MigrationFilesError(tuple(problems), advice="Mend all of them and run this again.")
    return tuple(found)


def _shipped() -> list[Migration]:
    # Not parsed for problems: tests do that once for all, and every start of a process would pay for it.
    files = (entry for entry in resources.files(__package__).iterdir() if entry.name.endswith(".sql"))
    read = (
        Migration(
            version=int(entry.name[:4]),
            name=entry.name.removesuffix(".sql"),
            group=entry.name.removesuffix(".sql").split("_")[1],
            sql=entry.read_bytes().decode().replace("\r\n", "\n"),
        )
        for entry in files
    )
    return sorted(read, key=attrgetter("version"))


def _name_problems(folders: Sequence[MigrationFolder]) -> Iterator[str]:
    seen: dict[str, Path] = {}
    for folder in folders:
        if folder.name == OURS or not _COLLECTION.fullmatch(folder.name):
            yield (
                f"{folder.path}: {folder.name!r} cannot name a collection; give another name, "
                "e.g. sales=FOLDER (small letters, digits, - and _)"
            )
        elif folder.name in seen:
            yield f"{folder.path}: {seen[folder.name]} is called {folder.name!r} too; give one another name"
        seen.setdefault(folder.name, folder.path)


def _read_folder(folder: MigrationFolder, problems: list[str]) -> list[Migration]:
    try:
        home = folder.path.resolve(strict=True)
        entries = sorted(each for each in home.iterdir() if each.name.lower().endswith(".sql"))
    except OSError as error:
        problems.append(f"{folder.path}: cannot be read: {error.strerror or error}")
        return []
    if not entries:
        problems.append(f"{folder.path}: holds no *.sql file")
    found = []
    for entry in entries:
        shown = folder.path / entry.name
        try:
            found.append(parse_migration(entry.name, _content(entry, home), collection=folder.name))
        except BadFileError as error:
            problems.append(f"{shown}: {error}")
        except OSError as error:
            problems.append(f"{shown}: cannot be read: {error.strerror or error}")
    found.sort(key=attrgetter("version", "name"))
    problems.extend(
        f"{folder.path / later.name}.sql: has the same version as {earlier.name}.sql; "
        "give the newer one the next free number"
        for earlier, later in pairwise(found)
        if earlier.version == later.version
    )
    return found


def _content(entry: Path, home: Path) -> bytes:
    # Kubernetes mounts files as links within their folder; one that leads out of it could read anything.
    target = entry.resolve(strict=True)
    if not target.is_relative_to(home):
        raise BadFileError("is a link that leads out of its folder")
    if not target.is_file():
        raise BadFileError("is not a regular file")
    size = target.stat().st_size
    if size > _LARGEST_BYTES:
        raise BadFileError(
            f"has {size:,} bytes; a migration has at most {_LARGEST_BYTES:,}: load data otherwise"
        )
    return target.read_bytes()
