"""Can each notifier be used with its args: by spec or signature, before there is anything to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from windlass.dagfactory.checks.annotations import annotation_findings
from windlass.dagfactory.checks.parameters import fits_spec, signature_findings
from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.checks.use import Use
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath
from windlass.dagfactory.errors import RegistryError, UnknownNotifierError
from windlass.dagfactory.registry import NotifierRegistry, is_class_path

__all__ = ["check_notifiers"]


def check_notifiers(data: Mapping[str, Any], tree: Tree, registry: NotifierRegistry) -> Iterator[Finding]:
    """Check all notifiers of a config.

    Args:
        data: The config.
        tree: Its tasks and groups.
        registry: Where short names are looked up.
    """
    for use in _uses(data, tree):
        try:
            findings = _check_class(use) if is_class_path(use.name) else _check_spec(use, registry)
        except RegistryError as error:
            unknown_one = isinstance(error, UnknownNotifierError)
            code = Code.UNKNOWN_NOTIFIER if unknown_one else Code.UNUSABLE_NOTIFIER
            suggestion = next(iter(error.suggestions), None)
            if suggestion is None and unknown_one and registry.names():
                suggestion = f"registered are {', '.join(registry.names())}"
            yield Finding(code, (*use.path, "notifier"), str(error), suggestion)
        else:
            for finding in findings:
                message = finding.message.replace("the operator ", "the notifier ")
                yield replace(finding, code=Code.NOTIFIER_PARAMETER, message=message)


def _check_class(use: Use) -> list[Finding]:
    from windlass.dagfactory.signature import signature_of

    signature = signature_of(use.name, "notifier")
    return [
        *signature_findings(signature, use.args, use.where, use.at, given=frozenset()),
        *annotation_findings(signature.annotations, use.args, use.where),
    ]


def _check_spec(use: Use, registry: NotifierRegistry) -> list[Finding]:
    spec = registry.get(use.name)
    return fits_spec(use, spec.parameters, spec.name)[1]


def _uses(data: Mapping[str, Any], tree: Tree) -> Iterator[Use]:
    places: list[tuple[JsonPath, Mapping[str, Any]]] = [((), data), *tree.settings(data)]
    for path, value in places:
        notify = value.get("notify")
        for event, entries in notify.items() if isinstance(notify, dict) else ():
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                name = entry.get("notifier") if isinstance(entry, dict) else None
                args = entry.get("args", {}) if isinstance(entry, dict) else None
                if isinstance(name, str) and name and isinstance(args, dict):
                    yield Use(name, (*path, "notify", event, index), args)
