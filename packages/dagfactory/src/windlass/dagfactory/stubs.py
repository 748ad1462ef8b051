"""One small Python file for each config, so that each has its own parse, import error and task start.

A stub is rewritten, with a new modification time, when the digest of its config, of folders' defaults that
count for it, of its variables or of a file that they name changes, and removed when the config is gone.
Writing is by rename under a lock.
"""

from __future__ import annotations

import ast
import errno
import fcntl
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from windlass.dagfactory.discovery import (
    ConfigFile,
    Discovery,
    Unreadable,
    absolute,
    discover,
    same_names,
)
from windlass.dagfactory.errors import StubsError
from windlass.dagfactory.ledger import OWN_FOLDER, Entry, Ledger, StubStamp
from windlass.dagfactory.plan.store import PlanStore

__all__ = ["StubFolder", "SyncResult", "stub_text"]

_HEADER = (
    "# Made by windlass-dagfactory for Airflow; changes are overwritten. It loads one DAG from its config.\n"
)
_ROOT = re.compile(r", root=('[^'\n]*'|\"[^\"\n]*\")")
_NAME_TROUBLE = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR)


@dataclass(frozen=True)
class SyncResult:
    """What bringing the stubs up to date did.

    Attributes:
        configs: How many configs there are.
        written: Configs whose stub was written, because something changed.
        removed: Configs whose stub was removed, because they are gone.
        problems: What could not be looked at; stubs below such a folder stay as they are.
        kept: Configs whose stub stays for a while although they are gone, because no config is left.
    """

    configs: int
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[Unreadable, ...] = ()
    kept: tuple[str, ...] = ()


def stub_text(name: str, config: str, also_in: Sequence[str] = (), *, root: str) -> str:
    """Write a stub: the same text for the same config, on every machine.

    Args:
        name: How the config is called in messages.
        config: Path of the config, absolute or relative to the stub.
        also_in: Other configs that claim the same DAG id.
        root: Path, like that of the config, of the folder from which on down folders' defaults count.
    """
    extra = f", also_in={list(also_in)!r}" if also_in else ""
    return (
        f"{_HEADER}"
        "import airflow.sdk.definitions.dag  # Airflow imports this once, before it forks for each file\n"
        "from windlass.dagfactory.loader import load_config\n"
        "\n"
        f"dag = load_config(__file__, {config!r}, name={name!r}, root={root!r}{extra})\n"
    )


class StubFolder:
    """A folder of stubs that follows a folder of configs.

    Args:
        configs: The folder of configs.
        stubs: The folder of stubs; made if missing.
        relative: Whether stubs name their configs relative to themselves, to be moved or committed together,
            or absolutely.
        settle_after: How many seconds after an edit its stub is touched once more. Airflow forgets an edit
        that it
            parses too soon after the one before (`[core] min_serialized_dag_update_interval`), or that is
            made while it parses, until it parses the file again.
        empty_grace: How many seconds all stubs are kept once no config is left. A folder that is suddenly
            empty is more often a lost mount than the deletion of the last DAG.
        clock: Tells the seconds since the epoch.
    """

    def __init__(
        self,
        configs: str | os.PathLike[str],
        stubs: str | os.PathLike[str],
        *,
        relative: bool = False,
        settle_after: float = 35,
        empty_grace: float = 60,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.configs = Path(absolute(configs))
        self.stubs = Path(absolute(stubs))
        self._root = str(self.stubs)
        self._relative = relative
        self._settle_after = settle_after
        self._empty_grace = empty_grace
        self._clock = clock
        identity = [version("windlass-dagfactory"), str(self.configs), relative]
        self._ledger = Ledger(self.stubs / OWN_FOLDER, identity)

    def is_complete(self, dag_id: str | None = None) -> bool:
        """Tell whether the stubs have been written, and whether the one for a DAG is among them.

        Args:
            dag_id: The DAG; None asks only whether they have been written.
        """
        return self._ledger.exists if dag_id is None else self._ledger.has_dag(dag_id)

    @property
    def names(self) -> frozenset[str]:
        """Names of the configs that have a stub."""
        return frozenset(self._ledger.load())

    def of_others(self) -> dict[str, int]:
        """Tell which other folders of configs have stubs here, and how many: a sync would remove those.

        Stubs of a folder that is not there any more, as it was renamed, are nobody's.
        """
        if not self.stubs.is_dir() or self.is_complete():  # by a ledger of these configs
            return {}
        found: dict[str, int] = {}
        for name in self._stubs_on_disk():
            root = _root_of(Path(self._stub(name)))
            if root is not None and root.is_dir() and not root.samefile(self.configs):
                found[str(root)] = found.get(str(root), 0) + 1
        return found

    def sync(self, *, claimed: Callable[[str], Sequence[str]] | None = None) -> SyncResult:
        """Bring the stubs up to date with the configs.

        Safe to run at the same time from several processes; costs a few file stamps per config if nothing
        changed.

        Args:
            claimed: Tells by DAG id which configs elsewhere claim it, in the words of a message.

        Raises:
            StubsError: The folder of configs cannot be listed, or that of stubs not be written. No stub is
            removed
                then: a configs folder that is not mounted does not delete every DAG.
        """
        try:
            with self._locked():
                return self._discover_and_update(claimed)
        except OSError as error:
            reason = (
                f"stubs cannot be written ({error.strerror}: {error.filename}); check permissions and space"
            )
            raise StubsError(str(self.stubs), reason) from error

    def _discover_and_update(self, claimed: Callable[[str], Sequence[str]] | None) -> SyncResult:
        try:
            found = discover(self.configs)
        except OSError as error:
            reason = f"the folder of configs cannot be listed ({error.strerror}); check that it is mounted"
            raise StubsError(str(self.configs), reason) from error
        rivals = dict(same_names(found.configs))
        if claimed is not None:
            for config in found.configs:
                if elsewhere := claimed(config.dag_name):
                    rivals[config.name] = [*rivals.get(config.name, []), *elsewhere]
        return self._update(found, rivals)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        own = self.stubs / OWN_FOLDER
        own.mkdir(parents=True, exist_ok=True)
        with (own / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _update(self, found: Discovery, rivals: Mapping[str, list[str]]) -> SyncResult:
        # Not above: a task that starts only asks whether its stub is there.
        from windlass.dagfactory.inputs import take_inputs, unchanged
        from windlass.dagfactory.layers import ChainReader
        from windlass.dagfactory.layers.digests import DefaultsDigests

        known = self._ledger.load()
        defaults = DefaultsDigests(str(self.configs), found.defaults, self._ledger.defaults)
        folders = ChainReader()
        entries: dict[str, Entry] = {}
        written: list[str] = []
        problems = list(found.unreadable)
        for config in found.configs:
            also_in = rivals.get(config.name, [])
            around = defaults.of(config.name)
            before = known.get(config.name)
            entry = before and self._intact(config, before, also_in)
            if entry and entry.defaults == around and unchanged(config, entry.watch, entry.variables):
                entries[config.name] = self._settled(config.name, entry) if entry.settle_at else entry
                continue
            inputs = take_inputs(config, folders=folders)
            if entry is not None and entry.digest == inputs.digest:
                entries[config.name] = replace(
                    entry, watch=inputs.watch, defaults=around, variables=inputs.variables
                )
                continue
            stub = self._write_stub(config, also_in, known=before is not None)
            if isinstance(stub, Unreadable):
                problems.append(stub)
                continue
            written.append(config.name)
            settle_at = self._clock() + self._settle_after if before is not None else 0
            entries[config.name] = Entry(
                inputs.digest, also_in, inputs.watch, stub, settle_at, around, inputs.variables
            )
        kept = self._keep_for_now(known, entries)
        removed = [] if kept else self._remove_gone(known, entries, found.unreadable)
        if entries != known or defaults.files != self._ledger.defaults or not self._ledger.exists:
            named = ((config.dag_name, config.name) for config in found.configs if config.name in entries)
            self._ledger.save(entries, defaults.files, named)
        return SyncResult(len(found.configs), tuple(written), tuple(removed), tuple(problems), tuple(kept))

    def _stub(self, name: str) -> str:
        return f"{self._root}/{name}.py"

    def _intact(self, config: ConfigFile, entry: Entry, also_in: list[str]) -> Entry | None:
        """Return a config's entry if its stub is as it is to be, by its stamp or else by its text."""
        stub = self._stub(config.name)
        if entry.also_in != also_in:
            return None
        try:
            found = os.stat(stub)  # noqa: PTH116 - a Path costs more than all else here
            stamp = found.st_mtime_ns, found.st_size
            if stamp == entry.stub:
                return entry
            text = self._text(config, also_in).encode()
            if found.st_size != len(text) or Path(stub).read_bytes() != text:
                return None
        except OSError:  # what cannot be looked at is written anew
            return None
        return replace(entry, stub=stamp)  # copied into an image, say

    def _text(self, config: ConfigFile, also_in: list[str]) -> str:
        root = str(self.configs)
        if self._relative:
            stub = Path(self._stub(config.name))
            root = os.path.relpath(os.path.realpath(root), os.path.realpath(stub.parent))
        return stub_text(config.name, f"{root.rstrip('/')}/{config.name}", also_in, root=root)

    def _write_stub(self, config: ConfigFile, also_in: list[str], *, known: bool) -> Unreadable | StubStamp:
        stub = Path(self._stub(config.name))
        try:
            if not known and stub.exists() and not _is_ours(stub):
                return Unreadable(
                    config.name, f"{stub} is no stub but somebody's own file; rename one of the two"
                )
            stub.parent.mkdir(parents=True, exist_ok=True)
            self._ledger.replace(stub, self._text(config, also_in))
        except OSError as error:
            if error.errno in _NAME_TROUBLE:
                return Unreadable(config.name, f"no stub can be named after it: {error.strerror}; rename it")
            raise
        return _touch(stub)

    def _settled(self, name: str, entry: Entry) -> Entry:
        """Touch a stub once more when it is time to."""
        if self._clock() < entry.settle_at:
            return entry
        return replace(entry, stub=_touch(self._stub(name)), settle_at=0)

    def _keep_for_now(self, known: Mapping[str, Entry], entries: dict[str, Entry]) -> list[str]:
        """Keep all stubs if no config is left, until that has been so at refreshes some time apart."""
        mark = self.stubs / OWN_FOLDER / "empty_since"
        if entries:
            mark.unlink(missing_ok=True)
            return []
        names = list(known) or self._stubs_on_disk()
        now = self._clock()
        try:
            since = float(mark.read_text())
        except (FileNotFoundError, ValueError):
            since = math.inf
        if since > now:  # nothing noted yet, or the clock was set back
            since = now
            mark.write_text(str(now))
        if not names or now - since >= self._empty_grace:
            mark.unlink()
            return []
        entries.update(known)
        return names

    def _remove_gone(
        self, known: Mapping[str, Entry], entries: dict[str, Entry], unreadable: Sequence[Unreadable]
    ) -> list[str]:
        """Remove the stubs of configs that are gone, except below folders that could not be looked at."""
        hidden = tuple("" if problem.name == "." else f"{problem.name}/" for problem in unreadable)
        removed = []
        for name in known or self._stubs_on_disk():
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
                PlanStore(str(stub), name).remove()
                removed.append(name)
        return removed

    def _stubs_on_disk(self) -> list[str]:
        """List stubs that no ledger tells of: one that was lost, or written by another release."""
        found = (
            path.relative_to(self.stubs).as_posix() for path in self.stubs.rglob("*.py") if _is_ours(path)
        )
        return [name.removesuffix(".py") for name in found]

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder that holds no stub any more, and those above, with what Python compiled there."""
        while folder != self.stubs and all(entry.name == "__pycache__" for entry in folder.iterdir()):
            cache = folder / "__pycache__"
            for compiled in cache.glob("*"):
                compiled.unlink()
            if cache.is_dir():
                cache.rmdir()
            folder.rmdir()
            folder = folder.parent


def _touch(stub: str | Path) -> StubStamp:
    now = time.time_ns()  # a file system's clock lags by milliseconds; Airflow compares with the real one
    os.utime(stub, ns=(now, now))
    found = Path(stub).stat()  # a file system may keep times coarser than it is given
    return found.st_mtime_ns, found.st_size


def _root_of(stub: Path) -> Path | None:
    """Find the folder of configs that a stub names."""
    try:
        found = _ROOT.search(stub.read_text(encoding="utf-8"))
        root = ast.literal_eval(found[1]) if found else None
    except (OSError, ValueError, SyntaxError):
        return None
    return None if root is None else Path(os.path.normpath(stub.resolve().parent / root))


def _is_ours(stub: Path) -> bool:
    try:
        with stub.open("rb") as file:
            return file.read(len(_HEADER)) == _HEADER.encode()
    except OSError:
        return False
