"""What a folder of stubs knows of its configs, kept beside them so that a refresh only compares stamps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.stamps import Stamp

if TYPE_CHECKING:
    from windlass.dagfactory.layers.digests import Known

__all__ = ["OWN_FOLDER", "Claims", "Entry", "Ledger", "StubStamp", "read_claims"]

StubStamp = tuple[int, int]
"""Modification time and size of a stub."""

OWN_FOLDER = ".windlass"
"""Where, in a folder of stubs, what is not a stub lies."""

_NAMES = "dags"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one config.

    Attributes:
        digest: Of the config and the files it names.
        also_in: Other configs that claim the same DAG id.
        watch: Stamps of its files, by path relative to its folder.
        stub: Modification time and size of its stub as it was written: with others, somebody changed it.
        settle_at: When to touch its stub once more (seconds since the epoch), or 0.
        defaults: Digest of the folders' defaults that count for it, or "".
        variables: Digests of the values of its variables.
    """

    digest: str
    also_in: list[str]
    watch: Mapping[str, Stamp | None]
    stub: StubStamp
    settle_at: float = 0
    defaults: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claims:
    """Which DAGs a folder of stubs is for.

    Attributes:
        configs: The folder of configs.
        names: Name of the config by DAG id.
    """

    configs: Path = Path()
    names: Mapping[str, str] = field(default_factory=dict)


class Ledger:
    """The entries of all configs, in memory and in a file that several processes share under a lock.

    Args:
        folder: Where the ledger's files are.
        identity: What else a stub's text depends on: with another one, nothing stored counts.
    """

    def __init__(self, folder: Path, identity: list[Any]) -> None:
        self._folder = folder
        self._names_file = folder / _NAMES
        self._identity = identity
        self._heading = f"{json.dumps(identity)}\n".encode()
        self._entries: dict[str, Entry] = {}
        self._defaults: Known = {}
        self._stamp: tuple[int, int] | None = None

    @property
    def exists(self) -> bool:
        """Whether stubs have been written here, by this release and for these configs."""
        try:
            with self._names_file.open("rb") as names:
                return names.read(len(self._heading)) == self._heading and self._entries_file.exists()
        except FileNotFoundError:
            return False

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether this release has a stub here for a DAG, without reading all that is known."""
        try:
            names = self._names_file.read_bytes()
        except FileNotFoundError:
            return False
        return names.startswith(self._heading) and f"\n{dag_id}\t".encode() in names

    def load(self) -> dict[str, Entry]:
        """Return the entries by config name; from memory if no other process has stored any since."""
        try:
            found = self._entries_file.stat()
        except FileNotFoundError:
            self._entries, self._defaults, self._stamp = {}, {}, None
            return self._entries
        stamp = (found.st_mtime_ns, found.st_ino)
        if self._stamp != stamp:
            self._entries, self._defaults = self._decode(self._entries_file.read_bytes())
            self._stamp = stamp
        return self._entries

    @property
    def defaults(self) -> Known:
        """What is known of the files of folders' defaults, as of the last `load` or `save`."""
        return self._defaults

    def save(self, entries: dict[str, Entry], defaults: Known, dags: Iterable[tuple[str, str]]) -> None:
        """Store the entries, last of all: where they are, every stub they tell of is.

        Args:
            entries: By config name.
            defaults: What is known of the files of folders' defaults.
            dags: DAG id and config name of each DAG that has a stub.
        """
        (self._folder / ".gitignore").write_text("*\n", encoding="utf-8")
        # Airflow looks into each folder and file below that of the stubs. Valid in both of its syntaxes.
        (self._folder / ".airflowignore").write_text("plans\n", encoding="utf-8")
        names = "".join(f"{dag_id}\t{json.dumps(name)}\n" for dag_id, name in sorted(dags))
        self.replace(self._names_file, self._heading.decode() + names)
        self.replace(self._entries_file, self._encode(entries, defaults))
        found = self._entries_file.stat()
        self._entries, self._defaults = entries, defaults
        self._stamp = found.st_mtime_ns, found.st_ino

    def replace(self, path: Path, text: str) -> None:
        """Write a file by rename: no reader sees half of it. The lock keeps the temporary name ours."""
        temporary = self._folder / "new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)

    @property
    def _entries_file(self) -> Path:
        return self._folder / "state.json"

    def _encode(self, entries: Mapping[str, Entry], defaults: Known) -> str:
        rows = {
            name: [
                entry.digest,
                entry.also_in,
                entry.watch,
                entry.stub,
                entry.settle_at,
                entry.defaults,
                entry.variables,
            ]
            for name, entry in entries.items()
        }
        state = {"identity": self._identity, "defaults": defaults, "configs": rows}
        return json.dumps(state, separators=(",", ":"))

    def _decode(self, data: bytes) -> tuple[dict[str, Entry], Known]:
        """Read stored entries; damaged ones, or those of other configs or releases, are as good as none."""
        try:
            stored = json.loads(data)
            if stored["identity"] != self._identity:
                return {}, {}
            entries = {
                name: Entry(
                    digest, also_in, _stamps(watch), (stub[0], stub[1]), settle_at, defaults, variables
                )
                for name, (digest, also_in, watch, stub, settle_at, defaults, variables) in stored[
                    "configs"
                ].items()
            }
            known = {
                name: (stamp and tuple(stamp), digest) for name, (stamp, digest) in stored["defaults"].items()
            }
        except (ValueError, LookupError, TypeError, AttributeError):
            return {}, {}
        return entries, known


def read_claims(stubs: Path, *, release: str | None = None) -> Claims:
    """Tell which configs a folder of stubs is for; read anew only when that changes.

    Args:
        stubs: The folder.
        release: If given, stubs of another release are as good as none.

    Raises:
        OSError: Nothing of this package keeps stubs there, or it cannot be read.
    """
    names = stubs / OWN_FOLDER / _NAMES
    found = names.stat()
    return _read_claims(names, release, (found.st_mtime_ns, found.st_ino))


@lru_cache(maxsize=32)
def _read_claims(names: Path, release: str | None, _: tuple[int, int]) -> Claims:
    heading, *lines = names.read_text(encoding="utf-8").split("\n")
    try:
        written_by, configs, _relative = json.loads(heading)
        rows = (line.rpartition("\t") for line in lines)
        named = {dag_id: json.loads(name) for dag_id, tab, name in rows if tab}
    except (ValueError, TypeError):  # another release's, that writes it otherwise
        return Claims()
    return Claims(Path(configs), named) if release in {None, written_by} else Claims()


def _stamps(watch: Mapping[str, list[int] | None]) -> dict[str, Stamp | None]:
    return {
        name: (stamp[0], stamp[1], stamp[2], stamp[3]) if stamp else None for name, stamp in watch.items()
    }
