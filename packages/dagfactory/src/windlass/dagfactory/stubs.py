"""One small Python file for each config, so that Airflow gives each config its own parse, import error and task start.

A stub is rewritten, with a new modification time, when the digest of its config or of a file the config names changes,
and removed when the config is gone. Writing is by rename under a lock; what is known of the configs is kept beside the
stubs in `.windlass/`, so that a refresh in which nothing changed only compares file stamps.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from windlass.dagfactory.discovery import ConfigFile, Unreadable, discover, same_names
from windlass.dagfactory.errors import StubsError
from windlass.dagfactory.inputs import Stamp, take_inputs, unchanged

__all__ = ["StubFolder", "SyncResult", "stub_text"]

_HEADER = "# Made by windlass-dagfactory for Airflow; changes are overwritten. It loads one DAG from its config.\n"
_SUFFIX = ".json.py"
_OWN = ".windlass"


@dataclass(frozen=True)
class SyncResult:
    """What bringing the stubs up to date did.

    Attributes:
        configs: How many configs there are.
        written: Configs whose stub was written, because something changed.
        removed: Configs whose stub was removed, because they are gone.
        problems: What could not be looked at; stubs below such a folder stay as they are.
    """

    configs: int
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[Unreadable, ...] = ()


@dataclass
class _Entry:
    digest: str
    also_in: list[str]
    watch: Mapping[str, Stamp | None]


@dataclass
class _State:
    """What is known of the configs. `stamp` tells whether the stored state is still the one in memory."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    stamp: tuple[int, int] | None = None


def stub_text(name: str, config: str, also_in: Sequence[str] = ()) -> str:
    """Write a stub: the same text for the same config, on every machine.

    Args:
        name: How the config is called in messages.
        config: Path of the config, absolute or relative to the stub.
        also_in: Other configs that claim the same DAG id.
    """
    extra = f", also_in={list(also_in)!r}" if also_in else ""
    return (
        f"{_HEADER}"
        "import airflow.sdk.definitions.dag  # Airflow imports this once, before it forks for each file\n"
        "from windlass.dagfactory.loader import load_config\n"
        "\n"
        f"dag = load_config(__file__, {config!r}, name={name!r}{extra})\n"
    )


class StubFolder:
    """A folder of stubs that follows a folder of configs.

    Args:
        configs: The folder of configs.
        stubs: The folder of stubs; made if missing.
        relative: Whether stubs name their configs relative to themselves (to be moved or committed together) or absolutely.

    Raises:
        StubsError: On use, if either folder cannot be used.
    """

    def __init__(self, configs: str | os.PathLike[str], stubs: str | os.PathLike[str], *, relative: bool = False) -> None:
        self.configs = Path(os.path.abspath(configs))  # noqa: PTH100 - links stay: they are how roots are switched
        self.stubs = Path(os.path.abspath(stubs))  # noqa: PTH100
        self._relative = relative
        self._state = _State()

    @property
    def _state_file(self) -> Path:
        return self.stubs / _OWN / "state.json"

    @property
    def _names_file(self) -> Path:
        return self.stubs / _OWN / "dags"

    def is_complete(self, dag_id: str | None = None) -> bool:
        """Tell whether the stubs have been written, and whether the one for a DAG is among them.

        Args:
            dag_id: The DAG; None asks only whether they have been written.
        """
        if dag_id is None:
            return self._state_file.exists()
        try:
            names = self._names_file.read_bytes()
        except FileNotFoundError:
            return False
        return f"\n{dag_id}\n".encode() in names

    def sync(self) -> SyncResult:
        """Bring the stubs up to date with the configs.

        Safe to run at the same time from several processes; costs a few file stamps per config if nothing changed.

        Raises:
            StubsError: The folder of configs cannot be listed, or that of stubs not be written. No stub is touched then: a
                configs folder that is not mounted does not delete every DAG.
        """
        try:
            found = discover(self.configs)
        except OSError as error:
            reason = f"the folder of configs cannot be listed ({error.strerror}); check that it exists and is mounted"
            raise StubsError(str(self.configs), reason) from error
        try:
            with self._locked():
                return self._update(found.configs, tuple(found.unreadable))
        except OSError as error:
            reason = f"stubs cannot be written ({error.strerror}: {error.filename}); check permissions and space"
            raise StubsError(str(self.stubs), reason) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        own = self.stubs / _OWN
        own.mkdir(parents=True, exist_ok=True)
        with (own / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _update(self, configs: Sequence[ConfigFile], problems: tuple[Unreadable, ...]) -> SyncResult:
        self._load_state()
        known, fresh = self._state.entries, not self._state.entries
        rivals = same_names(configs)
        entries: dict[str, _Entry] = {}
        written: list[str] = []
        changed = False
        for config in configs:
            name, also_in = config.name, rivals.get(config.name, [])
            entry = known.get(name)
            stub = self._stub(name)
            if entry and entry.also_in == also_in and unchanged(config, entry.watch) and os.path.exists(stub):  # noqa: PTH110 - measured
                entries[name] = entry
                continue
            changed = True
            inputs = take_inputs(config)
            entries[name] = _Entry(inputs.digest, also_in, inputs.watch)
            if not (entry and entry.digest == inputs.digest and entry.also_in == also_in and os.path.exists(stub)):  # noqa: PTH110
                try:
                    self._write_stub(stub, config, also_in)
                except OSError as error:
                    if not _concerns_name(error):
                        raise
                    del entries[name]
                    problems = (*problems, Unreadable(name, f"its stub cannot be named: {error.strerror}"))
                    continue
                written.append(name)
        removed = self._remove_gone(known, entries, problems, fresh=fresh)
        if changed or removed or fresh:
            self._save_state(entries)
        return SyncResult(len(configs), tuple(written), tuple(removed), problems)

    def _stub(self, name: str) -> str:
        return f"{self.stubs}/{name}.py"

    def _write_stub(self, stub: str, config: ConfigFile, also_in: list[str]) -> None:
        folder = os.path.dirname(stub)  # noqa: PTH120 - measured
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        path = config.path
        if self._relative:
            path = os.path.relpath(os.path.realpath(config.folder), os.path.realpath(folder))
            path = f"{path}/{os.path.basename(config.path)}"  # noqa: PTH119
        self._replace(Path(stub), stub_text(config.name, path, also_in))
        now = time.time_ns()  # the file system's own clock lags by some milliseconds, Airflow compares with the real one
        os.utime(stub, ns=(now, now))

    def _replace(self, path: Path, text: str) -> None:
        """Write a file by rename: no reader sees half of it. The lock keeps the temporary name ours."""
        temporary = self.stubs / _OWN / "new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)

    def _remove_gone(
        self, known: Mapping[str, _Entry], entries: dict[str, _Entry], problems: Sequence[Unreadable], *, fresh: bool
    ) -> list[str]:
        """Remove the stubs of configs that are gone, except below folders that could not be looked at."""
        hidden = tuple("" if problem.name == "." else f"{problem.name}/" for problem in problems)
        removed = []
        for name in self._stubs_on_disk() if fresh else known:
            if name in entries:
                continue
            if name.startswith(hidden):
                if name in known:
                    entries[name] = known[name]
                continue
            stub = Path(self._stub(name))
            if _is_ours(stub):
                stub.unlink()
                self._remove_empty(stub.parent)
            removed.append(name)
        return removed

    def _stubs_on_disk(self) -> list[str]:
        return [path.relative_to(self.stubs).as_posix()[:-3] for path in self.stubs.rglob(f"*{_SUFFIX}") if _is_ours(path)]

    def _remove_empty(self, folder: Path) -> None:
        while folder != self.stubs and not [entry for entry in folder.iterdir() if entry.name != "__pycache__"]:
            cache = folder / "__pycache__"
            for compiled in cache.glob("*.pyc"):
                compiled.unlink()
            if cache.is_dir():
                cache.rmdir()
            folder.rmdir()
            folder = folder.parent

    def _load_state(self) -> None:
        try:
            found = self._state_file.stat()
        except FileNotFoundError:
            self._state = _State()
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if self._state.stamp == stamp:
            return
        self._state = _State(_decode(self._state_file.read_bytes(), self._identity()), stamp)

    def _save_state(self, entries: dict[str, _Entry]) -> None:
        """Store the state last: where it is there, every stub it tells of is."""
        (self.stubs / _OWN / ".gitignore").write_text("*\n")
        names = sorted({ConfigFile(name, f"{self.configs}/{name}").dag_name for name in entries})
        self._replace(self._names_file, "\n" + "".join(f"{name}\n" for name in names))
        self._replace(self._state_file, _encode(entries, self._identity()))
        found = self._state_file.stat()
        self._state = _State(entries, (found.st_mtime_ns, found.st_ino))

    def _identity(self) -> list[Any]:
        """What else a stub's text depends on: with another one, all are written anew."""
        return [version("windlass-dagfactory"), str(self.configs), self._relative]


def _encode(entries: Mapping[str, _Entry], identity: list[Any]) -> str:
    rows = {name: [entry.digest, entry.also_in, entry.watch] for name, entry in entries.items()}
    return json.dumps({"identity": identity, "configs": rows}, separators=(",", ":"))


def _decode(data: bytes, identity: list[Any]) -> dict[str, _Entry]:
    """Read a stored state; a damaged one, or one of other configs or another release, is as good as none."""
    try:
        stored = json.loads(data)
        if stored["identity"] != identity:
            return {}
        return {name: _Entry(digest, also_in, _stamps(watch)) for name, (digest, also_in, watch) in stored["configs"].items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _stamps(watch: Mapping[str, list[int] | None]) -> dict[str, Stamp | None]:
    return {name: tuple(stamp) if stamp else None for name, stamp in watch.items()}  # type: ignore[misc]


def _is_ours(stub: Path) -> bool:
    try:
        with stub.open("rb") as file:
            return file.read(len(_HEADER)) == _HEADER.encode()
    except OSError:
        return False


def _concerns_name(error: OSError) -> bool:
    import errno

    return error.errno in (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR)
