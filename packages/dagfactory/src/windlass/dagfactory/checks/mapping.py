"""Do the values over which a task is mapped fit its operator, each together with what all instances share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from windlass.dagfactory.checks.parameters import (
    check_files,
    fits,
    model_finding,
    parameter_names,
    unknown,
    validated,
)
from windlass.dagfactory.checks.use import Call, Output, Use
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath
from windlass.dagfactory.registry import OperatorSpec, file_parameters

__all__ = ["check_mapped_spec", "check_mapping", "mapped_call"]

_MANY = 1000


def check_mapping(use: Use) -> list[Finding]:
    """Check what holds for every operator: one way of mapping, and no parameter set twice."""
    findings: list[Finding] = []
    if use.expand and use.rows is not None:
        message = "expand and expand_kwargs exclude each other"
        suggestion = "write one of the two: expand for all combinations, expand_kwargs for given ones"
        findings.append(
            Finding(Code.MAPPED_TWICE, (*use.path, "expand_kwargs"), message, suggestion, at="key")
        )
    for name in use.expand:
        if name in use.args:
            message = f'"{name}" is both in args and in expand'
            path = (*use.path, "expand", name)
            findings.append(
                Finding(Code.MAPPED_TWICE, path, message, "remove it from one of the two", at="key")
            )
    for index, row in enumerate(use.rows if isinstance(use.rows, list) else ()):
        for name in row if isinstance(row, dict) else ():
            if name in use.args:
                message = f'"{name}" is both in args and in expand_kwargs'
                path = (*use.path, "expand_kwargs", index, name)
                findings.append(
                    Finding(Code.MAPPED_TWICE, path, message, "remove it from one of the two", at="key")
                )
    return findings


def check_mapped_spec(spec: OperatorSpec, use: Use, folder: Path) -> Call | list[Finding]:
    """Check a mapped task by its operator's spec, and tell how to construct it.

    Args:
        spec: The operator's.
        use: What the config says.
        folder: The config's folder.
    """
    model = spec.parameters
    known = parameter_names(model)
    findings = list(_unknown_names(use, known)) if model.model_config.get("extra") != "allow" else []
    names = set(known) if findings else None
    # An empty array gives no value that could be wrong: Airflow skips the task.
    later = frozenset(name for name, value in use.expand.items() if isinstance(value, Output) or value == [])
    for values, where in _combinations(use, names):
        outcome = fits(model, values, spec.name)
        if isinstance(outcome, list):
            kept = _told(outcome, later, open_rows=isinstance(use.rows, Output))
            findings += [model_finding(error, model, values, where, use.at) for error in kept]
        if len(findings) > _MANY:
            break
    files = file_parameters(model)
    for name in files:
        findings += check_files(folder, use.args.get(name), use.where(name))
        if not isinstance(use.expand.get(name), Output):
            findings += check_files(folder, use.expand.get(name), (*use.path, "expand", name))
        for index, row in enumerate(use.rows if isinstance(use.rows, list) else ()):
            path = (*use.path, "expand_kwargs", index, name)
            findings += check_files(folder, row.get(name) if isinstance(row, dict) else None, path)
    findings = list(dict.fromkeys(findings))
    return findings or mapped_call(use, spec.operator, model, files)


def _unknown_names(use: Use, known: list[str]) -> Iterator[Finding]:
    places = [(name, use.where(name)) for name in use.args]
    places += [(name, (*use.path, "expand", name)) for name in use.expand]
    for index, row in enumerate(use.rows if isinstance(use.rows, list) else ()):
        if isinstance(row, dict):
            places += [(name, (*use.path, "expand_kwargs", index, name)) for name in row]
    return (unknown(name, known, path) for name, path in places if name not in known)


def _combinations(use: Use, names: set[str] | None) -> Iterator[tuple[dict[str, Any], Any]]:
    """Give sets of arguments in which every value occurs, and where each of their values stands."""

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if names is None or name in names}

    def placed(places: Mapping[str, JsonPath]) -> Any:
        return lambda name: places.get(name) or use.where(name)

    lists = {name: value for name, value in use.expand.items() if isinstance(value, list) and value}
    first = {name: value[0] for name, value in lists.items()}
    places: dict[str, JsonPath] = {name: (*use.path, "expand", name, 0) for name in lists}
    if isinstance(use.rows, list):
        for index, row in enumerate(use.rows[:_MANY]):
            if isinstance(row, dict):
                at = {name: (*use.path, "expand_kwargs", index, name) for name in row}
                yield kept({**use.args, **row}), placed(at)
        return
    yield kept({**use.args, **first}), placed(places)
    for name, value in lists.items():
        for index in range(1, min(len(value), _MANY)):
            at = {**places, name: (*use.path, "expand", name, index)}
            yield kept({**use.args, **first, name: value[index]}), placed(at)


def _told(errors: list[ErrorDetails], later: frozenset[str], *, open_rows: bool) -> Iterator[ErrorDetails]:
    """Leave out what values could still put right that are known at run time only."""
    for error in errors:
        location = error["loc"]
        whole = not location
        lacking = error["type"] == "missing" and len(location) == 1
        if (open_rows and (whole or lacking)) or (
            later and (whole or (lacking and str(location[0]) in later))
        ):
            continue
        yield error


def mapped_call(use: Use, operator: str, model: type[BaseModel] | None, files: frozenset[str]) -> Call:
    """Tell how to construct a mapped task, its values as the model has them."""
    rows = use.rows
    if model is not None:
        arguments = dict(sorted(_coerced(model, use.args).items()))
        expand = {
            _name(model, name): value
            if isinstance(value, Output)
            else [_coerced(model, {name: item}).popitem()[1] for item in value]
            for name, value in use.expand.items()
        }
        if isinstance(rows, list):
            rows = [_coerced(model, row) for row in rows]
    else:
        arguments, expand = dict(use.args), dict(use.expand)
    return Call(operator, arguments, files, expand=dict(sorted(expand.items())) or None, rows=rows)


def _coerced(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values one by one as the model would: the whole of it may be known at run time only."""
    try:
        return validated(model.model_validate(values))
    except ValidationError:
        return {
            _name(model, name): _convert(model, _name(model, name), value) for name, value in values.items()
        }


def _name(model: type[BaseModel], key: str) -> str:
    if key in model.model_fields:
        return key
    return next((name for name, info in model.model_fields.items() if info.alias == key), key)


def _convert(model: type[BaseModel], name: str, value: Any) -> Any:
    return _adapter(model, name).validate_python(value) if name in model.model_fields else value


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    info = model.model_fields[name]
    annotation: Any = info.annotation
    told = [*info.metadata, *([Field(discriminator=info.discriminator)] if info.discriminator else [])]
    for each in told:  # not the whole info: pydantic warns of an alias here
        annotation = Annotated[annotation, each]
    return TypeAdapter(annotation)
