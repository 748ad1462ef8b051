"""What configs share, told apart by digests: folders' defaults, each read once a refresh, and variables."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache

from windlass.dagfactory.document import Problem, read_bytes
from windlass.dagfactory.stamps import Stamp, is_as_stamped, take_stamp

__all__ = ["DefaultsDigests", "Known", "variable_digest", "variables_unchanged"]

Known = Mapping[str, tuple[Stamp | None, str]]
"""Stamp and digest of files of defaults, by name."""


class DefaultsDigests:
    """Tells for a folder whether the defaults that count in it are as they were.

    Args:
        root: The folder of configs.
        names: All files of defaults below it, relative to it.
        known: What was known of them before.

    Attributes:
        files: What is known of them now.
    """

    def __init__(self, root: str, names: Iterable[str], known: Known) -> None:
        self.files: dict[str, tuple[Stamp | None, str]] = {}
        self._own: dict[str, str] = {}
        for name in names:
            self.files[name] = entry = _look(f"{root}/{name}", known.get(name))
            folder, _, file = name.rpartition("/")
            self._own[folder] = f"{self._own.get(folder, '')} {file} {entry[1]}"
        self._chains: dict[str, str] = {"": _chain("", self._own.get("", ""))}

    def of(self, config: str) -> str:
        """Digest what the folders around a config say: "" if there is nothing.

        Args:
            config: The config's name.
        """
        return self._of(config.rpartition("/")[0]) if self._own else ""

    def _of(self, folder: str) -> str:
        found = self._chains.get(folder)
        if found is None:
            above = self._of(folder.rpartition("/")[0])
            found = self._chains[folder] = _chain(above, self._own.get(folder, ""))
        return found


def _look(path: str, known: tuple[Stamp | None, str] | None) -> tuple[Stamp | None, str]:
    if known is not None and known[0] is not None and is_as_stamped(path, known[0]):
        return known
    stamp = take_stamp(path, time.time_ns())
    data = read_bytes(path)
    content = repr(data).encode() if isinstance(data, Problem) else data
    return stamp, hashlib.sha256(content).hexdigest()


def _chain(above: str, own: str) -> str:
    return hashlib.sha256(f"{above}{own}".encode()).hexdigest()[:32] if own else above


@lru_cache(maxsize=1000)
def variable_digest(value: str | None) -> str:
    """Tell a variable's values apart without storing any; "" for none."""
    if value is None:
        return ""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def variables_unchanged(known: Mapping[str, str]) -> bool:
    """Tell whether environment variables have the values that were digested."""
    return all(variable_digest(os.environ.get(name)) == digest for name, digest in known.items())
