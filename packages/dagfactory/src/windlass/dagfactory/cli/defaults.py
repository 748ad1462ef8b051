"""Folders' defaults that no config is below of yet: checked by themselves, as far as that goes."""

from __future__ import annotations

from collections.abc import Iterable

from windlass.dagfactory.analysis import check_defaults
from windlass.dagfactory.checks.shared import check_shared
from windlass.dagfactory.diagnostics import Diagnostic
from windlass.dagfactory.discovery import ConfigFile
from windlass.dagfactory.layers import ChainReader, Resolved
from windlass.dagfactory.registry import default_registry

__all__ = ["check_alone"]


def check_alone(files: Iterable[ConfigFile]) -> list[Diagnostic]:
    """Find what is wrong with files of defaults, whatever configs will be below.

    Args:
        files: Which; what is wrong with defaults around them is told too.
    """
    reader = ChainReader(check_defaults)
    found: dict[Diagnostic, None] = {}
    for file in files:
        chain = reader.chain(file)
        if chain.layers:
            findings = check_shared(chain.data, registry=default_registry())
            found.update(dict.fromkeys(Resolved(chain.layers, dict(chain.data)).diagnostics(findings)))
    return list(found)
