"""The defaults of the folders from the root down to a config, each file read once for all that share it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding
from windlass.dagfactory.discovery import DEFAULTS_NAMES, ConfigFile
from windlass.dagfactory.document import Document, Problem, parse_document, read_bytes, suffix_of
from windlass.dagfactory.layers.layer import Layer, make_layer
from windlass.dagfactory.layers.merge import merge

__all__ = ["Chain", "ChainReader"]

NOT_SHARED = ("dag_id", "dag_display_name", "tasks")
"""What is one DAG's own and cannot be a folder's."""


@dataclass(frozen=True)
class Chain:
    """What the folders around a config say.

    Attributes:
        layers: Their files, outermost first.
        data: All of it merged.
        known: Variables that they declare, and their values.
        understood: Whether every file could be read.
    """

    layers: tuple[Layer, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[str, str | None] = field(default_factory=dict)
    understood: bool = True


_NONE = Chain()


class ChainReader:
    """Reads folders' defaults, each folder once: make one for a run, for it does not look again.

    Args:
        check: Finds what is wrong with the data of a folder's defaults, beyond what is reported here.
    """

    def __init__(self, check: Callable[[dict[str, Any]], list[Finding]] | None = None) -> None:
        self._check = check
        self._chains: dict[tuple[str, str, str], Chain] = {}

    def chain(self, file: ConfigFile) -> Chain:
        """Read the defaults of all folders from the config's root down to its own."""
        folder, root = os.path.dirname(file.path), file.root  # noqa: PTH120 - per config
        if folder != root and not folder.startswith(root.rstrip("/") + "/"):
            root = folder
        return self._of(folder, root, os.path.dirname(file.name))  # noqa: PTH120

    def _of(self, folder: str, root: str, shown: str) -> Chain:
        key = folder, root, shown
        found = self._chains.get(key)
        if found is None:
            outer = _NONE
            if folder != root:
                outer = self._of(os.path.dirname(folder), root, _above(shown))  # noqa: PTH120
            found = self._chains[key] = self._with(outer, folder, root, shown)
        return found

    def _with(self, outer: Chain, folder: str, root: str, shown: str) -> Chain:
        names = [name for name in DEFAULTS_NAMES if os.path.lexists(f"{folder}/{name}")]
        if not names:
            return outer
        layers = [
            self._layer(f"{shown}/{name}" if shown else name, f"{folder}/{name}", root, outer)
            for name in names
        ]
        first, others = layers[0], layers[1:]
        for other in others:
            message = f'the folder has "{names[0]}" too, and only one file of defaults counts'
            twice = Finding(Code.TWO_DEFAULTS, (), message)
            layers[layers.index(other)] = Layer(
                other.name, other.path, other.document, {}, {}, findings=(twice, *other.findings)
            )
        data = merge(outer.data, {key: first.data[key] for key in first.data if key not in _UNMERGED})
        understood = outer.understood and isinstance(first.document.data, dict)
        return Chain((*outer.layers, *layers), data, first.known, understood)

    def _layer(self, name: str, path: str, root: str, outer: Chain) -> Layer:
        real = os.path.realpath(path)
        inside = os.path.realpath(root).rstrip("/") + "/"
        if real.startswith(inside):
            document = parse_document(read_bytes(path), suffix=suffix_of(path))
        else:
            message = "it leads out of the folder of configs; put the file itself there"
            document = Document("", None, (Problem(Code.UNREADABLE, (0, 1), (), message),))
        layer = make_layer(name, path, document, outer.known, lenient=not outer.understood)
        more = [
            Finding(Code.NOT_A_DEFAULT, (key,), f'"{key}" is one DAG\'s own', at="key")
            for key in NOT_SHARED
            if key in layer.data
        ]
        if self._check is not None:
            more += self._check({key: layer.data[key] for key in layer.data if key not in NOT_SHARED})
        if not more:
            return layer
        return Layer(
            layer.name, path, document, layer.data, layer.known, layer.used, (*layer.findings, *more)
        )


_UNMERGED = (*NOT_SHARED, "$schema", "variables")


def _above(shown: str) -> str:
    """Name the folder above one that is named relative to somewhere, perhaps from below."""
    if shown in ("", "..") or shown.endswith("/.."):
        return f"../{shown}".rstrip("/")
    return os.path.dirname(shown)  # noqa: PTH120
