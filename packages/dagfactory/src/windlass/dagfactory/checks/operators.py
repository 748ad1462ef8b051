"""Can each task's operator be used with these args: by spec or signature, before any run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.checks.annotations import annotation_findings
from windlass.dagfactory.checks.mapping import check_mapped_spec, check_mapping, mapped_call
from windlass.dagfactory.checks.parameters import (
    Where,
    check_files,
    fits,
    fits_spec,
    key_of,
    missing,
    model_finding,
    parameter_names,
    signature_findings,
    unknown,
    validated,
)
from windlass.dagfactory.checks.renamed import former_path, known_otherwise
from windlass.dagfactory.checks.scripts import BASH, check_scripts, rendered_by
from windlass.dagfactory.checks.tree import Node, Tree
from windlass.dagfactory.checks.use import Call, Calls, Output, Use
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, value_at
from windlass.dagfactory.errors import RegistryError, UnknownOperatorError
from windlass.dagfactory.model import setting_origins
from windlass.dagfactory.registry import OperatorSpec, Registry, file_parameters, is_class_path

if TYPE_CHECKING:
    from windlass.dagfactory.signature import Signature

__all__ = ["Call", "Calls", "check_default_operators", "check_operator", "check_task", "known_parameters"]


def check_task(node: Node, data: Mapping[str, Any], folder: Path, registry: Registry) -> Call | list[Finding]:
    """Check a task's operator with its args, those that defaults add and those it is mapped over.

    Args:
        node: The task.
        data: The config, which has the defaults.
        folder: The config's folder.
        registry: Where short names are looked up.

    Returns:
        How to construct the operator, or what is wrong.
    """
    use = _use(node, data)
    return [] if use is None else check_operator(use, folder, registry)


def check_operator(use: Use, folder: Path, registry: Registry) -> Call | list[Finding]:
    """Check one use of an operator.

    Args:
        use: What the config says.
        folder: The config's folder.
        registry: Where short names are looked up.

    Returns:
        How to construct the operator, or what is wrong.
    """
    if former := former_path(use.name, (*use.path, "operator")):
        return [former]
    wrong = check_mapping(use) if use.mapped else []
    if use.name == "airflow.bash":
        wrong += check_scripts(use, BASH, folder)
    try:
        if is_class_path(use.name):
            outcome = _check_class(use)
            wrong += check_scripts(use, rendered_by(use.name), folder)
        elif use.mapped:
            outcome = check_mapped_spec(registry.get(use.name), use, folder)
        else:
            outcome = _check_spec(registry.get(use.name), use, folder)
    except RegistryError as error:
        return [operator_finding(error, (*use.path, "operator"), registry)]
    return [*wrong, *([] if isinstance(outcome, Call) else outcome)] if wrong else outcome


def operator_finding(error: RegistryError, path: JsonPath, registry: Registry) -> Finding:
    """Report an operator that is unknown or cannot be used."""
    unknown_one = isinstance(error, UnknownOperatorError)
    code = Code.UNKNOWN_OPERATOR if unknown_one else Code.UNUSABLE_OPERATOR
    otherwise = known_otherwise(error.name, registry) if unknown_one else None
    return Finding(code, path, str(error), otherwise or next(iter(error.suggestions), None))


def known_parameters(name: str, registry: Registry) -> Collection[str]:
    """List what an operator takes under args, as far as that can be known.

    Args:
        name: Its short name or class path.
        registry: Where short names are looked up.
    """
    from windlass.dagfactory.signature import signature_of

    try:
        return (
            signature_of(name).accepted
            if is_class_path(name)
            else parameter_names(registry.get(name).parameters)
        )
    except RegistryError:
        return ()  # the operator's own check has reported it


def check_default_operators(data: Mapping[str, Any], tree: Tree, registry: Registry) -> list[Finding]:
    """Check the operators for which there are defaults: those of an unknown name never apply.

    Args with which no task of the config calls an operator are checked here; those of classes are not, for
    which they would have to be imported.

    Args:
        data: The config.
        tree: Its tasks.
        registry: Where short names are looked up.
    """
    defaults = data.get("defaults")
    operators = defaults.get("operators") if isinstance(defaults, dict) else None
    findings: list[Finding] = []
    if not isinstance(operators, dict):
        return findings
    used = [node.entry.get("operator") for node in tree.tasks()]
    for name, settings in operators.items():
        args = settings.get("args") if isinstance(settings, dict) else None
        if args and isinstance(args, dict) and name not in used and name in registry.names():
            findings += _check_default_args(name, args, registry)
        if name and not is_class_path(name) and name not in registry.names():
            try:
                registry.get(name)
            except RegistryError as error:
                path = ("defaults", "operators", name)
                findings.append(replace(operator_finding(error, path, registry), at="key"))
    return findings


def _check_default_args(name: str, args: Mapping[str, Any], registry: Registry) -> Iterator[Finding]:
    """Check arguments of which a task may add more: by themselves, not what goes with what."""
    path: JsonPath = ("defaults", "operators", name)
    try:
        model = registry.get(name).parameters
    except RegistryError as error:
        yield replace(operator_finding(error, path, registry), at="key")
        return
    known = parameter_names(model)
    where = _under((*path, "args"))
    if model.model_config.get("extra") != "allow":
        yield from (unknown(key, known, where(key)) for key in args if key not in known)
    given = {key: value for key, value in args.items() if key in known and value is not None}
    try:
        outcome = fits(model, given, name)
    except RegistryError:  # it may count on what is not given here
        return
    for wrong in outcome if isinstance(outcome, list) else ():
        if wrong["loc"] and not (wrong["type"] == "missing" and len(wrong["loc"]) == 1):
            yield model_finding(wrong, model, given, where, path)


def _use(node: Node, data: Mapping[str, Any]) -> Use | None:
    entry = node.entry
    operator, args = entry.get("operator"), entry.get("args", {})
    if not isinstance(operator, str) or not operator or not isinstance(args, dict):
        return None  # the model has reported it
    args, origins = _with_defaults(node, data, operator, args)
    if "expand" not in entry and "expand_kwargs" not in entry:
        return Use(operator, node.path, args, origins)
    expand = entry.get("expand")
    mapped = (
        {name: _mapped(value, node) for name, value in expand.items()} if isinstance(expand, dict) else {}
    )
    rows = _mapped(entry.get("expand_kwargs"), node)
    if any(value is None for value in mapped.values()):
        return None  # the model, or the check of the graph, has reported it
    if rows is None and entry.get("expand_kwargs") is not None:
        return None  # reported too
    if isinstance(rows, list) and not all(isinstance(row, dict) for row in rows):
        return None  # by the model
    in_rows = {name for row in rows for name in row} if isinstance(rows, list) else set()
    hidden = {name for name in origins if name in mapped or name in in_rows}  # the task goes before defaults
    args = {name: value for name, value in args.items() if name not in hidden}
    return Use(operator, node.path, args, origins, mapped, rows)


def _with_defaults(
    node: Node, data: Mapping[str, Any], operator: str, args: Mapping[str, Any]
) -> tuple[Mapping[str, Any], dict[str, JsonPath]]:
    """Add the arguments that defaults give to an operator, and tell where those stand."""
    defaults = data.get("defaults")
    operators = defaults.get("operators") if isinstance(defaults, dict) else None
    if not isinstance(operators, dict) or operator not in operators:
        return args, {}
    merged: dict[str, Any] = {}
    origins: dict[str, JsonPath] = {}
    for inside, path in setting_origins(data, node.path).items():
        if inside[0] == "args" and len(inside) > 1:
            name = str(inside[1])
            merged[name] = value_at(data, path)
            if path[0] == "defaults":
                origins[name] = path
    return merged, origins


def _mapped(value: Any, node: Node) -> Any:
    """Give what a parameter is mapped over: its values, another task's output, or None where it is wrong."""
    if isinstance(value, list):
        return value
    name = value.get("output_of") if isinstance(value, dict) else None
    found = node.scope.find(name) if isinstance(name, str) else None
    return None if found is None else Output(found)


def _check_class(use: Use) -> Call | list[Finding]:
    from windlass.dagfactory.signature import signature_of

    signature = signature_of(use.name)
    wrong = list(_unfit(use, signature))
    if not use.mapped and _takes(use.name, frozenset(use.args)):
        return wrong or Call(use.name, use.args)
    required = signature.required
    findings: list[Finding] = []
    if isinstance(use.rows, list):
        for index, row in enumerate(use.rows):
            if isinstance(row, dict):
                place = (*use.path, "expand_kwargs", index)
                findings += signature_findings(signature, row, _under(place), place, given=required)
                lacking = sorted(required - set(use.args) - set(row) - set(use.expand))
                findings += [missing(name, place) for name in lacking]
    given = frozenset(use.expand) if use.rows is None else required
    findings += signature_findings(signature, use.args, use.where, use.at, given=given)
    if use.expand:
        place = (*use.path, "expand")
        findings += signature_findings(signature, use.expand, _under(place), place, given=required)
    findings += wrong
    if findings:
        return findings
    return mapped_call(use, use.name, None, frozenset()) if use.mapped else Call(use.name, use.args)


def _unfit(use: Use, signature: Signature) -> Iterator[Finding]:
    """Find values of other types than a class is annotated with, wherever they stand."""
    annotations, ends = signature.annotations, rendered_by(use.name).ends
    yield from annotation_findings(annotations, use.args, use.where, ends=ends)
    for name, listed in use.expand.items():
        for index, value in enumerate(listed if isinstance(listed, list) else ()):
            place = (*use.path, "expand", name, index)
            yield from annotation_findings(annotations, {name: value}, _at(place), ends=ends)
    for index, row in enumerate(use.rows if isinstance(use.rows, list) else ()):
        place = (*use.path, "expand_kwargs", index)
        yield from annotation_findings(annotations, row, _under(place), ends=ends)


def _at(place: JsonPath) -> Where:
    return lambda _: place


@lru_cache(maxsize=10_000)
def _takes(operator: str, names: frozenset[str]) -> bool:
    """Tell whether a class takes arguments of just these names; most tasks of a class look alike."""
    from windlass.dagfactory.signature import signature_of

    signature = signature_of(operator)
    return signature.required <= names <= signature.accepted


def _under(place: JsonPath) -> Where:
    return lambda name: (*place, name)


def _check_spec(spec: OperatorSpec, use: Use, folder: Path) -> Call | list[Finding]:
    model, args = spec.parameters, use.args
    outcome, findings = fits_spec(use, model, spec.name)
    if outcome is None:
        # What is wrong with the files too: all at once.
        for name in sorted(file_parameters(model)):
            key = key_of(model, name, args)
            findings += check_files(folder, args.get(key), use.where(key))
        return findings
    files = file_parameters(model) & outcome.model_fields_set
    arguments = validated(outcome)
    for name in sorted(files):
        findings += check_files(folder, arguments[name], use.where(key_of(model, name, args)))
    return findings or Call(spec.operator, arguments, files)
