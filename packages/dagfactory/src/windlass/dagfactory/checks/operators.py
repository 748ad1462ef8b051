"""Can each task's operator be used with these args: by spec or signature, before any run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from windlass.dagfactory.checks.files import check_file
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean
from windlass.dagfactory.errors import RegistryError, UnknownOperatorError, UnusableOperatorError
from windlass.dagfactory.registry import OperatorSpec, Registry, file_parameters, is_class_path

__all__ = ["Call", "check_operator"]

_BESIDE_ARGS = {
    "retries": "retry",
    "retry_delay": "retry",
    "retry_exponential_backoff": "retry",
    "max_retry_delay": "retry",
    "retry_policy": "retry",
    "execution_timeout": "timeout",
    "trigger_rule": "trigger_rule",
    "pool": "pool",
    "priority_weight": "priority_weight",
    "doc_md": "doc_md",
}
_OF_THE_DAG = {"owner": "owner", "start_date": "start_date", "end_date": "end_date", "params": "params"}


@dataclass(frozen=True)
class Call:
    """How a task's operator is to be constructed.

    Attributes:
        operator: Import path of the class.
        arguments: Keyword arguments as the validated model holds them, only those the config sets.
        files: Which of them name files in the config's folder.
    """

    operator: str
    arguments: Mapping[str, Any]
    files: frozenset[str] = field(default_factory=frozenset)


def check_operator(
    task_id: str, task: Mapping[str, Any], folder: Path, registry: Registry
) -> Call | list[Finding]:
    """Check a task's operator and args.

    Args:
        task_id: The task.
        task: What the config says of it; may be wrong in any way.
        folder: The config's folder.
        registry: Where short names are looked up.

    Returns:
        How to construct the operator, or what is wrong.
    """
    operator, args = task.get("operator"), task.get("args", {})
    if not isinstance(operator, str) or not operator or not isinstance(args, dict):
        return []  # the model has reported it
    base: JsonPath = ("tasks", task_id)
    try:
        if is_class_path(operator):
            return _check_class(operator, args, base)
        return _check_spec(registry.get(operator), args, base, folder)
    except RegistryError as error:
        unknown = isinstance(error, UnknownOperatorError)
        code = Code.UNKNOWN_OPERATOR if unknown else Code.UNUSABLE_OPERATOR
        return [Finding(code, (*base, "operator"), str(error), next(iter(error.suggestions), None))]


def _check_class(operator: str, args: dict[str, Any], base: JsonPath) -> Call | list[Finding]:
    from windlass.dagfactory.signature import signature_of

    signature = signature_of(operator)
    findings: list[Finding] = []
    for name in args:
        path = (*base, "args", name)
        if name in signature.accepted:
            continue
        if name in signature.airflow or name in ("dag", "task_group"):
            findings.append(_misplaced(name, path))
        elif not signature.open_ended:
            findings.append(_unknown(name, sorted(signature.accepted), path))
    findings += [_missing(name, args, base) for name in sorted(signature.required - set(args))]
    return findings or Call(operator, args)


def _check_spec(
    spec: OperatorSpec, args: dict[str, Any], base: JsonPath, folder: Path
) -> Call | list[Finding]:
    model = spec.parameters
    known = _parameter_names(model)
    findings: list[Finding] = []
    if model.model_config.get("extra") != "allow":
        findings = [_unknown(name, known, (*base, "args", name)) for name in args if name not in known]
    accepted = {name: value for name, value in args.items() if name in known} if findings else args
    try:
        parameters = model.model_validate(accepted)
        files = file_parameters(model) & parameters.model_fields_set
    except ValidationError as error:
        findings += [_parameter_finding(detail, args, base) for detail in error.errors(include_url=False)]
        return findings + _file_findings(model, args, base, folder)
    except Exception as error:
        reason = (
            f"its model of parameters fails: {type(error).__name__}: {error}; its package must be corrected"
        )
        raise UnusableOperatorError(spec.name, reason) from error
    arguments = {name: getattr(parameters, name) for name in sorted(parameters.model_fields_set)}
    for name in sorted(files):
        findings.extend(_check_files(folder, arguments[name], (*base, "args", _alias(model, name, args))))
    return findings or Call(spec.operator, arguments, files)


def _file_findings(
    model: type[BaseModel], args: dict[str, Any], base: JsonPath, folder: Path
) -> list[Finding]:
    """What is wrong with the files that args name, when the args themselves are wrong too: all at once."""
    findings: list[Finding] = []
    for name in sorted(file_parameters(model)):
        key = _alias(model, name, args)
        findings.extend(_check_files(folder, args.get(key), (*base, "args", key)))
    return findings


def _check_files(folder: Path, value: Any, path: JsonPath) -> Iterator[Finding]:
    if isinstance(value, str):
        yield from check_file(folder, value, path)
    elif isinstance(value, list | tuple):
        for index, name in enumerate(value):
            yield from check_file(folder, str(name), (*path, index))


def _parameter_names(model: type[BaseModel]) -> list[str]:
    names = {info.alias or name for name, info in model.model_fields.items()}
    if model.model_config.get("validate_by_name") or model.model_config.get("populate_by_name"):
        names |= set(model.model_fields)
    return sorted(names)


def _alias(model: type[BaseModel], name: str, args: Mapping[str, Any]) -> str:
    return name if name in args else model.model_fields[name].alias or name


def _parameter_finding(error: ErrorDetails, args: Mapping[str, Any], base: JsonPath) -> Finding:
    inside = _existing(error["loc"], args)
    path = (*base, "args", *inside)
    message = str(error["msg"]).removeprefix("Value error, ")
    name = error["loc"][-1] if error["loc"] else ""
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return _missing(str(name), args, base)
    if error["type"] == "extra_forbidden":
        return Finding(Code.UNKNOWN_PARAMETER, path, f'unknown key "{name}"', at="key")
    where = f'"{inside[-1]}": ' if inside else ""
    return Finding(
        Code.INVALID_PARAMETER,
        path,
        f"{where}{message[:1].lower()}{message[1:]}",
        at="value" if inside else "key",
    )


def _existing(location: tuple[int | str, ...], value: Any) -> JsonPath:
    """Keep of pydantic's location what exists in the data: it also names the branches of unions."""
    path: list[str | int] = []
    for part in location:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(part)
    return tuple(path)


def _misplaced(name: str, path: JsonPath) -> Finding:
    message = f'"{name}" is a setting of Airflow, not of this operator'
    if name in _BESIDE_ARGS:
        return Finding(
            Code.MISPLACED_SETTING, path, message, f'write "{_BESIDE_ARGS[name]}" beside args', at="key"
        )
    if name in _OF_THE_DAG:
        return Finding(
            Code.MISPLACED_SETTING, path, message, f'write "{name}" at the top of the config', at="key"
        )
    return Finding(Code.MISPLACED_SETTING, path, message, "remove it: configs cannot set it", at="key")


def _unknown(name: str, known: list[str], path: JsonPath) -> Finding:
    suggestion = did_you_mean(name, known) or f"known parameters: {', '.join(known) or 'none'}"
    return Finding(
        Code.UNKNOWN_PARAMETER, path, f'the operator has no parameter "{name}"', suggestion, at="key"
    )


def _missing(name: str, args: Mapping[str, Any], base: JsonPath) -> Finding:
    path = (*base, "args") if args else base
    return Finding(
        Code.MISSING_PARAMETER,
        path,
        f'the parameter "{name}" is missing',
        f'add "{name}" under args',
        at="key",
    )
