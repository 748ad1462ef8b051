"""A config over its folders' defaults: one object, and for each place in it the file it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from windlass.dagfactory.diagnostics import CODES, Diagnostic, Finding, JsonPath, value_at
from windlass.dagfactory.discovery import ConfigFile
from windlass.dagfactory.document import Document
from windlass.dagfactory.document.sources import in_sources
from windlass.dagfactory.layers.chain import Chain
from windlass.dagfactory.layers.layer import Layer, make_layer
from windlass.dagfactory.layers.merge import merge
from windlass.dagfactory.layers.variables import declared_names, raw_offset
from windlass.dagfactory.secrets import TELLING, hide_known, written

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True)
class Resolved:
    """What holds for a config.

    Attributes:
        layers: The files that have a share in it, farthest first, the config last.
        data: What they say together, variables replaced.
    """

    layers: tuple[Layer, ...]
    data: dict[str, Any]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with any of the files themselves."""
        return all(layer.sound for layer in self.layers)

    def origin(self, path: JsonPath) -> Layer:
        """Tell which file says what stands at a path, or what stands around it."""
        own = self.layers[-1]
        if len(self.layers) == 1:
            return own
        exact = _existing(self.data, path)
        return next(
            (layer for layer in reversed(self.layers) if len(_existing(layer.data, exact)) == len(exact)), own
        )

    def diagnostics(self, findings: Sequence[Finding]) -> list[Diagnostic]:
        """Locate what is wrong with the files, and findings about the whole, each in its file."""
        secrets = _Secrets(self, findings)
        by_layer: dict[str, list[Finding]] = {
            layer.path: [secrets.left_out_of(finding) for finding in layer.findings] for layer in self.layers
        }
        findings = [secrets.left_out_of(finding) for finding in findings]
        for finding in findings:
            if finding.source is None:
                layer = self.origin(finding.path)
                by_layer[layer.path].append(_in_raw_text(finding, layer))
        located: list[Diagnostic] = []
        for layer in self.layers:
            found = list(dict.fromkeys(by_layer[layer.path]))
            if found or layer.document.problems:
                located.extend(layer.document.diagnostics(layer.name, found))
        return located + in_sources(findings, self.layers[-1].name)


def resolve(file: ConfigFile, document: Document, chain: Chain) -> Resolved:
    """Merge a config over its folders' defaults and replace variables.

    Args:
        file: Which config.
        document: What it holds.
        chain: What the folders around it say.
    """
    own = make_layer(file.name, file.path, document, chain.known, lenient=not chain.understood)
    if not chain.layers:
        return Resolved((own,), own.data)
    data = merge(chain.data, own.data)
    names = own.data.get("variables", [])
    if isinstance(names, list):
        inherited = [name for layer in chain.layers for name in declared_names(layer.data)]
        more = [name for name in dict.fromkeys(inherited) if name not in names]
        if more:
            data["variables"] = [*names, *more]  # its own first: what is wrong with them is told by index
    return Resolved((*chain.layers, own), data)


class _Secrets:
    """The secrets that stand in files with mistakes: what is said of other values may quote them too.

    Args:
        resolved: The files.
        findings: What is wrong with the whole of them.
    """

    def __init__(self, resolved: Resolved, findings: Sequence[Finding]) -> None:
        layers = resolved.layers
        by_data = [(resolved.data, findings), *((layer.data, layer.findings) for layer in layers)]
        self._at = [
            (found.path, secret)
            for data, some in by_data
            for found in some
            if (secret := _secret_of(found, data)) is not None
        ]
        secrets = {secret for _, secret in self._at}
        secrets.update(layer.document.text[slice(*at)] for layer in layers for at in layer.document.secrets)
        said = "\n".join(f"{found.message}\n{found.suggestion}" for _, some in by_data for found in some)
        forms = {form for secret in secrets if len(secret) >= TELLING for form in written(secret)}
        self._telling = sorted((form for form in forms if form in said), key=len, reverse=True)

    def left_out_of(self, finding: Finding) -> Finding:
        """Take the secrets out of what is said of a mistake; short ones of what is said of the same value."""
        if not CODES[finding.code].quotes_source or not (self._at or self._telling):
            return finding
        near = [secret for path, secret in self._at if path[: len(finding.path)] == finding.path]
        known = [*self._telling, *(form for secret in near for form in written(secret))]
        message = hide_known(finding.message, known)
        suggestion = finding.suggestion and hide_known(finding.suggestion, known)
        return replace(finding, message=message, suggestion=suggestion)


def _secret_of(finding: Finding, data: Mapping[str, Any]) -> str | None:
    if CODES[finding.code].quotes_source or finding.at == "key" or finding.source is not None:
        return None
    value = str(value_at(data, finding.path))
    return value if finding.inside is None else value[finding.inside[0] : sum(finding.inside)]


def _existing(data: Any, path: JsonPath) -> JsonPath:
    for length, part in enumerate(path):
        try:
            data = data[part] if isinstance(data, dict | list) else _NOWHERE[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return path[:length]
    return path


_NOWHERE: dict[str | int, Any] = {}


def _in_raw_text(finding: Finding, layer: Layer) -> Finding:
    """Point at the text before variables were replaced."""
    if finding.inside is None or finding.path not in layer.used:
        return finding
    raw: Any = layer.document.data
    for part in finding.path:
        raw = raw[part]
    start = raw_offset(raw, layer.known, finding.inside[0])
    end = raw_offset(raw, layer.known, sum(finding.inside) - 1)
    return replace(finding, inside=(start, max(1, end - start + 1)))
