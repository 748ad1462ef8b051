"""Can a timetable given by class path be imported and constructed with its arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from windlass.dagfactory.diagnostics import Code, Finding, did_you_mean
from windlass.dagfactory.errors import RegistryError
from windlass.dagfactory.registry import is_class_path
from windlass.dagfactory.values import parse_duration

__all__ = ["check_timetable"]


def check_timetable(schedule: Mapping[str, Any]) -> Iterator[Finding]:
    """Check a schedule that is a timetable class with arguments."""
    path, args = schedule["timetable"], schedule.get("args", {})
    if not is_class_path(path):
        message = f'"{path}" is no class path'
        yield Finding(
            Code.TIMETABLE, ("schedule", "timetable"), message, "write package.module.Class, such as "
            "airflow.sdk.CronTriggerTimetable",
        )  # fmt: skip
        return
    from windlass.dagfactory.signature import signature_of, takes_duration

    try:
        signature = signature_of(path, "timetable")
    except RegistryError as error:
        yield Finding(
            Code.TIMETABLE, ("schedule", "timetable"), str(error), next(iter(error.suggestions), None)
        )
        return
    if not isinstance(args, dict):
        return  # the model has reported it
    known = sorted({*signature.accepted, *([signature.variadic] if signature.variadic else [])})
    for name, value in args.items():
        if name not in known and not signature.open_ended:
            suggestion = did_you_mean(name, known) or f"known arguments: {', '.join(known) or 'none'}"
            message = f'the timetable has no argument "{name}"'
            yield Finding(Code.TIMETABLE, ("schedule", "args", name), message, suggestion, at="key")
        elif isinstance(value, str) and takes_duration(signature.annotations.get(name, "")):
            try:
                parse_duration(value)
            except PydanticCustomError:
                message = f'"{name}" is to be a duration, and "{value}" is none'
                yield Finding(Code.TIMETABLE, ("schedule", "args", name), message, 'write one such as "6h"')
    for name in sorted(signature.required - set(args) - {"timezone"}):
        at = ("schedule", "args") if "args" in schedule else ("schedule",)
        message = f'the timetable\'s argument "{name}" is missing'
        yield Finding(Code.TIMETABLE, at, message, f'add "{name}" under args', at="key")
