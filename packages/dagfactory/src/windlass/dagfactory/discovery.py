"""Which files are configs: `dag.json` in its DAG's folder, `NAME.dag.json` anywhere; `.yaml` alike."""

# A Path for each file would cost more than the rest of a refresh.
# ruff: noqa: PTH100, PTH119, PTH120, PTH122

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windlass.dagfactory.diagnostics import Diagnostic

__all__ = [
    "DEFAULTS_NAMES",
    "ConfigFile",
    "Discovery",
    "Unreadable",
    "absolute",
    "discover",
    "is_config_name",
    "same_names",
]

SUFFIXES = (".json", ".yaml", ".yml")
_ALONE = tuple(f"dag{suffix}" for suffix in SUFFIXES)
_NAMED = tuple(f".dag{suffix}" for suffix in SUFFIXES)
DEFAULTS_NAMES = tuple(f"defaults{suffix}" for suffix in SUFFIXES)
_LEADS_OUT = "it leads out of the folder of configs; put the file itself there, or name its path"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config file and the name its DAG must have.

    Attributes:
        name: Path relative to the folder searched, with slashes: how people and stubs know it.
        path: Where it is, absolute, links not followed.
        root: The folder, absolute, from which on down folders' defaults count. By default the one that `name`
            is relative to, or the config's own folder if it is relative to none.
        dag_name: The name of its folder (`dag.json`) or file (`NAME.dag.json`).
    """

    name: str
    path: str
    root: str = ""

    def __post_init__(self) -> None:
        if not self.root:
            relative = self.path.endswith(f"/{self.name}")
            root = self.path[: -len(self.name) - 1] if relative else os.path.dirname(self.path)
            object.__setattr__(self, "root", root or "/")

    @classmethod
    def at(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> ConfigFile:
        """Describe the config at a path, shown as `name` or as it is given."""
        shown = os.fspath(path)
        return cls(name or Path(shown).as_posix(), absolute(shown), "" if root is None else absolute(root))

    @property
    def folder(self) -> Path:
        """The folder in which the config's own files are."""
        return Path(self.path).parent

    @property
    def dag_name(self) -> str:
        """What the DAG must be called."""
        folder, file = os.path.split(self.path)
        if file in _ALONE:
            return os.path.basename(folder)
        stem, suffix = os.path.splitext(file)
        return stem.removesuffix(".dag") if suffix in SUFFIXES else file


@dataclass(frozen=True)
class Unreadable:
    """A folder or file that could not be looked at."""

    name: str
    reason: str

    def diagnostic(self, folder: str | os.PathLike[str]) -> Diagnostic:
        """Report it as a mistake, named from the folder that was searched."""
        from windlass.dagfactory.diagnostics import Code, Diagnostic

        name = Path(folder, self.name).as_posix()
        return Diagnostic(Code.UNREADABLE, "error", name, 1, 1, "$", f"cannot be read: {self.reason}")


@dataclass
class Discovery:
    """What a search found.

    Attributes:
        configs: All configs, sorted by name.
        unreadable: Folders that could not be listed, names that are no UTF-8, configs outside the folder.
        defaults: Names of all files of folders' defaults, sorted.
    """

    configs: list[ConfigFile] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    defaults: list[str] = field(default_factory=list)


def absolute(path: str | os.PathLike[str]) -> str:
    """Make a path absolute without following links: a linked root is how whole trees are switched."""
    return os.path.abspath(path)


def is_config_name(file_name: str) -> bool:
    """Tell whether a file of this name is a config."""
    return file_name in _ALONE or (file_name.endswith(_NAMED) and not file_name.startswith(_NAMED))


def discover(root: str | os.PathLike[str]) -> Discovery:
    """Find all configs below a folder.

    Folders whose names begin with a dot are left out, as are `__pycache__` and `node_modules`. Linked folders
    are searched after all real ones, each once, and never if they lead back into the search: loops end. A
    config that links lead out of the folder is reported as unreadable, lest another's file is shown as one.

    Args:
        root: The folder.

    Raises:
        OSError: The folder itself cannot be listed.
    """
    top = absolute(root)
    os.scandir(top).close()
    real_top = os.path.realpath(top)
    found = Discovery()
    seen = {real_top}
    folders: list[tuple[str, str]] = [(top, "")]
    while folders:
        links = _Links()
        for path, name in folders:
            here = Discovery(unreadable=found.unreadable, defaults=found.defaults)
            _search(path, name, top, here, links)
            _keep(here.configs, found, inside=_contains(real_top, os.path.realpath(path)))
        for config in links.configs:
            _keep([config], found, inside=_contains(real_top, os.path.realpath(config.path)))
        folders = []
        for path, name in sorted(links.folders):
            real = os.path.realpath(path)
            if not any(_covers(known, real) or _contains(real, known) for known in seen):
                seen.add(real)
                folders.append((path, name))
    found.configs.sort(key=lambda config: config.name)
    found.defaults.sort()
    return found


@dataclass
class _Links:
    folders: list[tuple[str, str]] = field(default_factory=list)
    configs: list[ConfigFile] = field(default_factory=list)


def _keep(configs: Iterable[ConfigFile], found: Discovery, *, inside: bool) -> None:
    if inside:
        found.configs.extend(configs)
    else:
        found.unreadable.extend(Unreadable(config.name, _LEADS_OUT) for config in configs)


def _contains(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _covers(searched: str, folder: str) -> bool:
    """Tell whether searching one folder searches the other: not if it is below a name that is left out."""
    if not _contains(searched, folder):
        return False
    return not any(_is_left_out(part) for part in folder[len(searched) :].split("/"))


def _is_left_out(folder_name: str) -> bool:
    return folder_name.startswith(".") or folder_name in ("__pycache__", "node_modules")


def _search(path: str, name: str, top: str, found: Discovery, links: _Links) -> None:
    """Search a folder and the real folders below it; collect linked folders and configs for later."""
    pending = [(path, name)]
    while pending:
        folder, prefix = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    _look_at(entry, prefix + entry.name, top, found, pending, links)
        except OSError as error:
            found.unreadable.append(Unreadable(prefix.rstrip("/") or ".", error.strerror or str(error)))


def _look_at(
    entry: os.DirEntry[str],
    name: str,
    top: str,
    found: Discovery,
    pending: list[tuple[str, str]],
    links: _Links,
) -> None:
    if is_config_name(entry.name):
        if not name.isascii() and not _is_utf8(name):
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            found.unreadable.append(Unreadable(shown, "its name is no UTF-8; rename it"))
        elif not entry.is_dir():
            (links if entry.is_symlink() else found).configs.append(ConfigFile(name, entry.path, top))
            return
    elif entry.name in DEFAULTS_NAMES:
        found.defaults.append(name)
    if entry.is_dir(follow_symlinks=False):
        if not _is_left_out(entry.name):
            pending.append((entry.path, name + "/"))
    elif entry.is_symlink() and not entry.name.startswith(".") and _leads_to_folder(entry):
        links.folders.append((entry.path, name + "/"))


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links leads nowhere
        return False


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def same_names(configs: Iterable[ConfigFile]) -> Mapping[str, list[str]]:
    """Tell which configs claim one DAG: for each of them the names of the others."""
    by_dag: defaultdict[str, list[str]] = defaultdict(list)
    for config in configs:
        by_dag[config.dag_name].append(config.name)
    return dict(_rivals(by_dag.values()))


def _rivals(groups: Iterable[list[str]]) -> Iterator[tuple[str, list[str]]]:
    for names in groups:
        if len(names) > 1:
            for name in names:
                yield name, [other for other in names if other != name]
