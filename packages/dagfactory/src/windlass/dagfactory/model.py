"""What a config may say: the pydantic model, strict, with unknown keys refused everywhere."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, did_you_mean
from windlass.dagfactory.values import Duration, Moment, PositiveDuration

__all__ = ["DagConfig", "DefaultsConfig", "RetryConfig", "TaskConfig", "TriggerRule", "model_findings"]

TriggerRule = Literal[
    "all_success",
    "all_failed",
    "all_done",
    "all_done_min_one_success",
    "all_done_setup_success",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_skipped",
    "none_failed_min_one_success",
    "all_skipped",
    "always",
]
Text = Annotated[str, Field(max_length=65536)]
Name = Annotated[str, Field(min_length=1, max_length=250)]
Tag = Annotated[str, Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class RetryConfig(_Strict):
    """How often a task is tried, and how long Airflow waits in between.

    Airflow 3.3 waits `delay x multiplier^(n-1)` after the n-th try, plus a share of up to as much again that
    is fixed for the task instance and try, and never more than `cap`. With a multiplier of 1 it waits
    `delay`.
    """

    attempts: int = Field(default=1, ge=1, le=1000, description="Tries in all: 1 means no retry.")
    delay: Duration = Field(default="5m", validate_default=True, description="Wait before the second try.")
    multiplier: float = Field(
        default=1, ge=1, le=100, description="Factor by which the wait grows with each try."
    )
    cap: PositiveDuration | None = Field(default=None, description="Longest wait.")


class DefaultsConfig(_Strict):
    """What every task of the DAG gets unless it says otherwise."""

    retry: RetryConfig | None = None
    timeout: PositiveDuration | None = Field(default=None, description="Longest run of one try.")


class TaskConfig(_Strict):
    """One task: the operator's parameters under `args`, Airflow's own settings beside them."""

    operator: Name = Field(description="A registered short name, or the import path of an operator class.")
    args: dict[str, Any] = Field(default_factory=dict, description="The operator's parameters.")
    depends_on: list[str] = Field(default_factory=list, description="Ids of the tasks that run before.")
    trigger_rule: TriggerRule = "all_success"
    pool: Name | None = None
    priority_weight: int | None = Field(default=None, ge=-(2**31), lt=2**31)
    timeout: PositiveDuration | None = Field(default=None, description="Longest run of one try.")
    retry: RetryConfig | None = None
    doc_md: Text | None = None


class DagConfig(_Strict):
    """A DAG: the whole content of a config file."""

    schema_uri: str | None = Field(default=None, alias="$schema", description="For editors; not read.")
    schema_version: Literal[1] = 1
    dag_id: Name = Field(description="{domain}_{pipeline}_{version}, as the folder or file is named.")
    description: Text | None = None
    schedule: Name | None = Field(
        default=None, description="Cron expression, preset such as @daily, or null."
    )
    timezone: Name = Field(default="UTC", description="IANA name; schedule and dates are in it.")
    start_date: Moment | None = Field(default=None, description="Absolute ISO 8601 date or datetime.")
    end_date: Moment | None = Field(default=None, description="Absolute ISO 8601 date or datetime.")
    catchup: bool = False
    max_active_runs: int | None = Field(default=None, ge=1, lt=2**31)
    max_active_tasks: int | None = Field(default=None, ge=1, lt=2**31)
    tags: list[Tag] = Field(default_factory=list)
    owner: Name | None = None
    doc_md: Text | None = Field(
        default=None, description="Markdown, or the name of an .md file beside the config."
    )
    params: dict[str, Any] = Field(default_factory=dict)
    dagrun_timeout: PositiveDuration | None = None
    defaults: DefaultsConfig = Field(default_factory=DefaultsConfig)
    tasks: dict[str, TaskConfig] = Field(min_length=1)


_CODES = {
    "missing": Code.MISSING_KEY,
    "duration": Code.DURATION,
    "moment": Code.DATE,
    "relative_moment": Code.RELATIVE_DATE,
}
_KINDS = {
    "string_type": "a string",
    "duration_type": 'a duration such as "5m"',
    "moment_type": 'a date such as "2026-01-31"',
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def model_findings(errors: list[ErrorDetails], data: Any) -> list[Finding]:
    """Turn pydantic's errors about a config into findings."""
    return [_finding(error, data) for error in errors]


def _finding(error: ErrorDetails, data: Any) -> Finding:
    kind, path = error["type"], error["loc"]
    name = path[-1] if path else "the config"
    if kind == "extra_forbidden":
        known = known_keys(path[:-1])
        suggestion = did_you_mean(str(name), known) or f"known keys here: {', '.join(known)}"
        return Finding(Code.UNKNOWN_KEY, path, f'unknown key "{name}"', suggestion, at="key")
    if kind == "missing":
        return Finding(Code.MISSING_KEY, path[:-1], f'the key "{name}" is missing', f'add "{name}"', at="key")
    if path == ("schema_version",):
        return Finding(Code.SCHEMA_VERSION, path, "this schema version is not known", "write 1")
    if path == ("tasks",) and kind == "too_short":
        return Finding(Code.NO_TASKS, path, "the DAG has no tasks", at="key")
    if kind in _KINDS:
        return Finding(Code.WRONG_TYPE, path, f'"{name}" must be {_KINDS[kind]}')
    near = _nearest(kind, error, _at(data, path))
    return Finding(_CODES.get(kind, Code.INVALID_VALUE), path, f'"{name}": {_lower(error["msg"])}', near)


def _nearest(kind: str, error: ErrorDetails, value: Any) -> str | None:
    if kind != "literal_error" or not isinstance(value, str):
        return None
    words = [word.strip(" '") for word in str(error["ctx"]["expected"]).replace(" or ", ",").split(",")]
    return did_you_mean(value, words)


def _at(data: Any, path: JsonPath) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def known_keys(path: JsonPath) -> list[str]:
    """List the keys that the model knows at a path of the config."""
    model: type[BaseModel] = DagConfig
    match path:
        case ("tasks", _):
            model = TaskConfig
        case ("defaults",):
            model = DefaultsConfig
        case (*_, "retry"):
            model = RetryConfig
    return [info.alias or name for name, info in model.model_fields.items()]
