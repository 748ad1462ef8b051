"""Where each value that holds for a DAG comes from: a file and place in it, a variable, or a default here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from windlass.dagfactory.analysis import Analysis
from windlass.dagfactory.checks.secrets import check_secrets
from windlass.dagfactory.diagnostics import JsonPath, json_path, value_at
from windlass.dagfactory.model import DagConfig, setting_origins
from windlass.dagfactory.secrets import HIDDEN, hide

__all__ = ["Origin", "explain", "matching"]

_RETRY_DEFAULTS = {"delay": "5m", "multiplier": 1, "jitter": True}
_RULE, _TEARDOWN = "all_success", "all_done_setup_success"
_NOT_SHOWN = ("$schema", "defaults", "tasks")


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    Attributes:
        path: JSON path at which the value holds, such as `$.tasks.load.retry.delay`.
        value: The value; `(secret)` for what looks like one.
        kind: Whether the config says it, a folder's defaults, or nobody: then it is a default of Windlass.
        file: The file that says it.
        line: Line, from 1.
        column: Column in characters, from 1.
        source: JSON path in that file where it differs, such as `$.defaults.retry.delay`.
        variables: Environment variables in it.
    """

    path: str
    value: Any
    kind: Literal["config", "folder", "windlass"]
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None
    variables: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """The origin as the JSON output has it."""
        return {
            "path": self.path,
            "value": self.value,
            "kind": self.kind,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "source": self.source,
            "variables": list(self.variables),
        }


def explain(analysis: Analysis) -> list[Origin]:
    """Tell where every value comes from, defaults merged into each task.

    Args:
        analysis: The config, analysed; one with mistakes is explained as far as it is understood.

    Returns:
        One origin a value, those of the DAG first, then task by task in the order of the config.
    """
    return list(_Explainer(analysis).run())


def matching(origins: list[Origin], path: str) -> list[Origin]:
    """Choose the origins at a path and below.

    Args:
        origins: All of them.
        path: JSON path; `$.` may be left out.
    """
    wanted = path if path.startswith("$") else f"$.{path}"
    inside = tuple(f"{wanted}{mark}" for mark in (".", "["))
    return [origin for origin in origins if origin.path == wanted or origin.path.startswith(inside)]


class _Explainer:
    def __init__(self, analysis: Analysis) -> None:
        self.resolved = analysis.resolved
        self.data = analysis.data
        self.secrets = {finding.path for finding in check_secrets(self.data) if finding.at == "value"}

    def run(self) -> Iterator[Origin]:
        for key, value in self.data.items():
            if key not in _NOT_SHOWN:
                yield from self.leaves(value, (key,), (key,))
        for name, info in DagConfig.model_fields.items():
            if info.alias is None and name not in self.data and not info.is_required():
                default = info.get_default(call_default_factory=True)
                if isinstance(default, str | int | float):
                    yield Origin(json_path((name,)), default, "windlass")
        yield from self.entries(self.data.get("tasks"), ("tasks",))

    def entries(self, entries: Any, path: JsonPath) -> Iterator[Origin]:
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            at = (*path, name)
            if isinstance(entry, dict) and "tasks" in entry:
                for key, value in entry.items():
                    if key != "tasks":
                        yield from self.leaves(value, (*at, key), (*at, key))
                yield from self.entries(entry["tasks"], (*at, "tasks"))
            elif isinstance(entry, dict):
                yield from self.task(entry, at)
            else:
                yield from self.leaves(entry, at, at)

    def task(self, entry: Mapping[str, Any], path: JsonPath) -> Iterator[Origin]:
        merged = self._settings(entry, path)
        names = {inside[0] for inside in merged}
        for key, value in entry.items():
            if key not in names and value is not None:
                yield from self.leaves(value, (*path, key), (*path, key))
        for inside, source in merged.items():
            yield from self.leaves(value_at(self.data, source), (*path, *inside), source)
        rule = _TEARDOWN if entry.get("teardown") is not None else _RULE
        defaults: dict[JsonPath, Any] = {("trigger_rule",): rule}
        if "retry" in names:
            defaults |= {("retry", name): value for name, value in _RETRY_DEFAULTS.items()}
        for inside, value in defaults.items():
            if inside not in merged:
                yield Origin(_shown((*path, *inside)), value, "windlass")

    def _settings(self, entry: Mapping[str, Any], path: JsonPath) -> dict[JsonPath, JsonPath]:
        """Tell where what holds for a task stands, without those defaults that something else goes before."""
        rows = entry.get("expand_kwargs")
        mapped = (
            {name for row in rows if isinstance(row, dict) for name in row}
            if isinstance(rows, list)
            else set()
        )
        mapped |= set(expand) if isinstance(expand := entry.get("expand"), dict) else set()
        hidden: set[JsonPath] = {("args", name) for name in mapped}
        if entry.get("teardown") is not None:
            hidden.add(("trigger_rule",))  # a teardown's is Airflow's own
        origins = setting_origins(self.data, path)
        return {at: source for at, source in origins.items() if at not in hidden or source[0] != "defaults"}

    def leaves(self, value: Any, path: JsonPath, source: JsonPath) -> Iterator[Origin]:
        """Explain a value, or what is inside it: where it holds, and where it stands in the merged data."""
        if isinstance(value, dict | list) and value:
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                yield from self.leaves(inner, (*path, key), (*source, key))
            return
        layer = self.resolved.origin(source)
        line, column = layer.document.position(source)
        own = layer is self.resolved.layers[-1]
        hidden = any(source[: len(secret)] == secret for secret in self.secrets)
        yield Origin(
            _shown(path),
            HIDDEN if hidden else value,
            "config" if own else "folder",
            layer.name,
            line,
            column,
            None if path == source else _shown(source),
            layer.used.get(source, ()),
        )


def _shown(path: JsonPath) -> str:
    return hide(json_path(path))
