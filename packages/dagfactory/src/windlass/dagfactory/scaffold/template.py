"""The templates in the wheel: what each makes, and which operators it needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["Template", "templates"]

_ABOUT = "template.json"


@dataclass(frozen=True)
class Template:
    """A template.

    Attributes:
        name: How the command line calls it.
        summary: What its pipeline does.
        description: The description of a pipeline whose author gives none.
        needs: Operators by short name, with the distribution that registers each.
        texts: Its files by name, with `@@word@@` where a pipeline's own words go.
    """

    name: str
    summary: str
    description: str
    needs: Mapping[str, str]
    texts: Mapping[str, str]

    def missing(self, registered: Iterable[str]) -> list[str]:
        """Name the distributions to install before its configs are valid."""
        known = set(registered)
        return sorted({package for name, package in self.needs.items() if name not in known})


@cache
def templates() -> dict[str, Template]:
    """Read all templates, by name."""
    folders = files("windlass.dagfactory.scaffold") / "pipelines"
    found: dict[str, Template] = {}
    for folder in sorted(folders.iterdir(), key=lambda entry: entry.name):
        texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()}
        about = json.loads(texts.pop(_ABOUT))
        found[folder.name] = Template(
            folder.name, about["summary"], about["default_description"], about["needs"], texts
        )
    return found
