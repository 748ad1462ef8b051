"""Do arguments fit: a spec's pydantic model, or the signature of a class given by path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from windlass.dagfactory.checks.files import check_file
from windlass.dagfactory.checks.use import Use
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean
from windlass.dagfactory.errors import UnusableOperatorError
from windlass.dagfactory.signature import Signature

__all__ = [
    "Where",
    "check_files",
    "fits",
    "fits_spec",
    "key_of",
    "missing",
    "model_finding",
    "parameter_names",
    "signature_findings",
    "unknown",
    "validated",
]

Where = Callable[[str], JsonPath]
"""Tells where an argument stands: in a task's args, in its expand, or in defaults."""

_BESIDE_ARGS = {
    "retries": "retry",
    "retry_delay": "retry",
    "retry_exponential_backoff": "retry",
    "max_retry_delay": "retry",
    "retry_policy": "retry",
    "execution_timeout": "timeout",
    "on_failure_callback": "notify",
    "on_success_callback": "notify",
    "on_retry_callback": "notify",
    "on_execute_callback": "notify",
    "on_skipped_callback": "notify",
}
_SAME_BESIDE_ARGS = frozenset(
    {
        "depends_on_past",
        "do_xcom_push",
        "doc_md",
        "executor",
        "executor_config",
        "inlets",
        "map_index_template",
        "max_active_tis_per_dag",
        "max_active_tis_per_dagrun",
        "outlets",
        "owner",
        "pool",
        "pool_slots",
        "priority_weight",
        "queue",
        "run_as_user",
        "task_display_name",
        "trigger_rule",
        "wait_for_downstream",
        "weight_rule",
    }
)
_OF_THE_DAG = frozenset({"start_date", "end_date", "params", "render_template_as_native_obj"})
_WRITTEN = {
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
    "string_type": "a string, in quotes",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "string_pattern_mismatch": "text of the form that the message gives",
    "duration": 'a duration such as "30s", "5m" or "2h"',
}


def signature_findings(
    signature: Signature, args: Mapping[str, Any], where: Where, at: JsonPath, *, given: frozenset[str]
) -> list[Finding]:
    """Compare arguments with a signature.

    Args:
        signature: What the constructor takes.
        args: Arguments by name.
        where: Where each stands.
        at: Where missing ones are to be added.
        given: Names that get a value in another way.
    """
    findings: list[Finding] = []
    for name in args:
        if name in signature.accepted or name == signature.variadic:
            continue
        if name in signature.airflow or name in ("dag", "task_group"):
            findings.append(_misplaced(name, where(name)))
        elif not signature.open_ended:
            findings.append(unknown(name, sorted(signature.accepted), where(name)))
    return findings + [missing(name, at) for name in sorted(signature.required - set(args) - given)]


def fits(model: type[BaseModel], values: Mapping[str, Any], name: str) -> BaseModel | list[ErrorDetails]:
    """Validate arguments by a spec's model.

    Args:
        model: The model.
        values: Arguments by name, all known to the model.
        name: The spec's name, for a complaint about its package.

    Returns:
        The validated arguments, or pydantic's errors.

    Raises:
        UnusableOperatorError: The model fails in another way than pydantic's.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        return error.errors(include_url=False)
    except Exception as error:
        reason = (
            f"its model of parameters fails: {type(error).__name__}: {error}; its package must be corrected"
        )
        raise UnusableOperatorError(name, reason) from error


def validated(parameters: BaseModel) -> dict[str, Any]:
    """Take the arguments that a config sets out of a validated model."""
    return {name: getattr(parameters, name) for name in sorted(parameters.model_fields_set)}


def check_files(folder: Path, value: Any, path: JsonPath) -> Iterator[Finding]:
    """Check the files that an argument names, in a list or not."""
    if isinstance(value, str):
        yield from check_file(folder, value, path)
    elif isinstance(value, list | tuple):
        for index, name in enumerate(value):
            yield from check_files(folder, name if isinstance(name, list) else str(name), (*path, index))


def fits_spec(use: Use, model: type[BaseModel], name: str) -> tuple[BaseModel | None, list[Finding]]:
    """Hold one use's arguments against the model of a spec.

    Args:
        use: What the config says.
        model: The model.
        name: The spec's name, for a complaint about its package.

    Returns:
        The validated arguments, None where the model refuses them; and what is wrong, unknown names too.

    Raises:
        UnusableOperatorError: The model fails in another way than pydantic's.
    """
    known = parameter_names(model)
    findings: list[Finding] = []
    if model.model_config.get("extra") != "allow":
        findings = [_not_known(key, known, use.where(key)) for key in use.args if key not in known]
    accepted = {key: value for key, value in use.args.items() if key in known} if findings else use.args
    outcome = fits(model, accepted, name)
    if isinstance(outcome, BaseModel):
        return outcome, findings
    findings += [model_finding(error, model, use.args, use.where, use.at) for error in outcome]
    return None, findings


@cache
def parameter_names(model: type[BaseModel]) -> list[str]:
    """List the names that a config may use for a model's parameters."""
    names = {info.alias or name for name, info in model.model_fields.items()}
    if model.model_config.get("validate_by_name") or model.model_config.get("populate_by_name"):
        names |= set(model.model_fields)
    return sorted(names)


def key_of(model: type[BaseModel], name: str, args: Mapping[str, Any]) -> str:
    """Tell under which name the args have a parameter."""
    return name if name in args else model.model_fields[name].alias or name


def model_finding(
    error: ErrorDetails, model: type[BaseModel], args: Mapping[str, Any], where: Where, at: JsonPath
) -> Finding:
    """Turn an error of a spec's model into a finding.

    Args:
        error: What pydantic reports.
        model: The model.
        args: What was validated.
        where: Where each argument stands.
        at: Where missing ones are to be added.
    """
    inside = _existing(error["loc"], args)
    path = (*where(str(inside[0])), *inside[1:]) if inside else at
    message = str(error["msg"]).removeprefix("Value error, ")
    name = error["loc"][-1] if error["loc"] else ""
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return missing(str(name), at)
    if error["type"] == "extra_forbidden":
        return Finding(
            Code.UNKNOWN_PARAMETER, path, f'unknown key "{name}"', "correct or remove it", at="key"
        )
    shown = f'"{inside[-1]}": ' if inside else ""
    return Finding(
        Code.INVALID_PARAMETER,
        path,
        f"{shown}{message[:1].lower()}{message[1:]}",
        _hint(error, _field(model, str(inside[0])) if inside else None, model),
        at="value" if inside else "key",
    )


def _hint(error: ErrorDetails, field: FieldInfo | None, model: type[BaseModel]) -> str | None:
    """Say what to write instead, from the kind of error or from what the parameter is for."""
    kind, value = error["type"], error.get("input")
    if kind == "literal_error":
        from windlass.dagfactory.model.instead import literal_hint

        return literal_hint(error, value)
    for begin, written in _WRITTEN.items():
        if kind.startswith(begin):
            return f"write {written}"
    if field is not None:
        return f"it is: {field.description}" if field.description else None
    return f"its parameters are {', '.join(parameter_names(model))}" if model.model_fields else None


def _field(model: type[BaseModel], key: str) -> FieldInfo | None:
    fields = model.model_fields
    return fields.get(key) or next((info for info in fields.values() if info.alias == key), None)


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
    suggestion = "remove it: configs cannot set it"
    if name in _BESIDE_ARGS or name in _SAME_BESIDE_ARGS:
        suggestion = f'write "{_BESIDE_ARGS.get(name, name)}" beside args'
    elif name in _OF_THE_DAG:
        suggestion = f'write "{name}" at the top of the config'
    return Finding(Code.MISPLACED_SETTING, path, message, suggestion, at="key")


def _not_known(name: str, known: list[str], path: JsonPath) -> Finding:
    is_setting = name in _BESIDE_ARGS or name in _SAME_BESIDE_ARGS or name in _OF_THE_DAG
    return _misplaced(name, path) if is_setting else unknown(name, known, path)


def unknown(name: str, known: list[str], path: JsonPath) -> Finding:
    """Report a parameter that the operator does not have."""
    suggestion = did_you_mean(name, known) or f"known parameters: {', '.join(known) or 'none'}"
    return Finding(
        Code.UNKNOWN_PARAMETER, path, f'the operator has no parameter "{name}"', suggestion, at="key"
    )


def missing(name: str, at: JsonPath) -> Finding:
    """Report a parameter that is required and not there."""
    message = f'the parameter "{name}" is missing'
    return Finding(Code.MISSING_PARAMETER, at, message, f'add "{name}" under args', at="key")
