"""Short names that configs have for Airflow's own operators; typed, and without importing Airflow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from windlass.dagfactory.diagnostics import did_you_mean
from windlass.dagfactory.values import Duration, parse_duration, parse_moment

__all__ = [
    "BASH",
    "BRANCH",
    "EMPTY",
    "PYTHON",
    "SHORT_CIRCUIT",
    "TRIGGER_DAG",
    "WAIT_FOR_DAG",
    "WAIT_FOR_FILE",
    "WAIT_UNTIL",
]

_STANDARD = "airflow.providers.standard"
_OWN = "windlass.dagfactory.operators"
_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+\Z")


def _seconds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("duration", "must be seconds, or a duration")
    amount = parse_duration(value) if isinstance(value, str) else timedelta(seconds=min(value, 10**9))
    if amount <= timedelta(0):
        raise PydanticCustomError("duration", "must be longer than zero")
    return amount


def _moment(text: str) -> str:
    """Read a date or time now unless a template makes it."""
    if "{{" not in text and "{%" not in text:
        parse_moment(text)
    return text


def _importable(path: str) -> str:
    """Import a function now: that it is not there must not come out at run time."""
    if not _PATH.match(path):
        raise PydanticCustomError("callable", "not the import path of a function, package.module.function")
    module_name, _, name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() too: it must not end the check of others
        reason = {"module": module_name, "error": f"{type(error).__name__}: {error}"}
        raise PydanticCustomError(
            "callable", "the module {module} cannot be imported: {error}", reason
        ) from error
    if not callable(getattr(module, name, None)):
        near = did_you_mean(name, [known for known in dir(module) if callable(getattr(module, known, None))])
        reason = {"module": module_name, "name": name, "near": f"; {near}" if near else ""}
        raise PydanticCustomError("callable", "the module {module} has no function {name}{near}", reason)
    return path


def _encoding(name: str) -> str:
    """Look an encoding of text up now: Python has codecs that are none."""
    try:
        "a".encode(name)
    except (LookupError, ValueError) as error:
        raise PydanticCustomError("encoding", "there is no such encoding of text") from error
    return name


Seconds = Annotated[
    timedelta, BeforeValidator(_seconds, json_schema_input_type=Annotated[float, Field(gt=0)] | str)
]
WholeSeconds = Annotated[Seconds, AfterValidator(lambda amount: max(1, int(amount.total_seconds())))]
Moment = Annotated[str, AfterValidator(_moment)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Function = Annotated[str, AfterValidator(_importable)]
RunState = Literal["success", "failed", "running", "queued"]
TaskState = Literal[
    "success", "failed", "skipped", "upstream_failed", "running", "queued", "removed", "up_for_retry"
]


Model = TypeVar("Model", bound=BaseModel)


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Empty(_Parameters):
    """Parameters of `airflow.empty`: none."""


class _Bash(_Parameters):
    """Parameters of `airflow.bash`."""

    bash_command: str = Field(
        min_length=1, description="Commands, or the name of an .sh file beside the config; rendered."
    )
    env: dict[str, str] | None = Field(default=None, description="Environment variables; rendered.")
    append_env: bool = Field(default=False, description="Whether they add to the worker's environment.")
    cwd: str | None = Field(default=None, description="Folder to run in; rendered. A new one by default.")
    skip_on_exit_code: int | list[int] | None = Field(
        default=99, description="Exit codes that skip the task rather than fail it."
    )
    output_encoding: Encoding = Field(default="utf-8", description="Encoding of what the commands print.")


class _Arguments(_Parameters):
    op_args: list[Any] = Field(default_factory=list, description="Positional arguments; rendered.")
    op_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments; rendered. What it takes of Airflow's context comes by itself.",
    )


class _Python(_Arguments):
    """Parameters of `airflow.python`."""

    callable: Function = Field(description="Import path of the function, package.module.function.")
    show_return_value_in_logs: bool = Field(default=True, description="Whether the log shows its result.")


class _Branch(_Arguments):
    """Parameters of `airflow.branch`: either `choose` or `callable`."""

    choose: str | list[str] | None = Field(
        default=None,
        description="Jinja expression that gives a task id, a list of ids, or nothing to skip the rest.",
    )
    callable: Function | None = Field(
        default=None, description="Import path of a function that returns the same."
    )

    @model_validator(mode="after")
    def _one(self) -> _Branch:
        return _either(self, "choose", "callable")


class _ShortCircuit(_Arguments):
    """Parameters of `airflow.short_circuit`: either `condition` or `callable`."""

    condition: str | bool | None = Field(default=None, description="Jinja expression, true or false.")
    callable: Function | None = Field(
        default=None, description="Import path of a function whose result is true or false."
    )
    ignore_downstream_trigger_rules: bool = Field(
        default=True, description="Whether all that follows is skipped, whatever its trigger rule."
    )

    @model_validator(mode="after")
    def _one(self) -> _ShortCircuit:
        return _either(self, "condition", "callable")


def _either(model: Model, one: str, other: str) -> Model:
    if (getattr(model, one) is None) == (getattr(model, other) is None):
        message = f"write either {one} or {other}"
        raise ValueError(message)
    if getattr(model, other) is None and {"op_args", "op_kwargs"} & model.model_fields_set:
        message = f"op_args and op_kwargs belong to {other}; {one} takes none"
        raise ValueError(message)
    return model


class _TriggerDag(_Parameters):
    """Parameters of `airflow.trigger_dag`."""

    trigger_dag_id: str = Field(min_length=1, max_length=250, description="DAG to start a run of; rendered.")
    trigger_run_id: str | None = Field(default=None, description="Id of the run; rendered.")
    conf: dict[str, Any] | None = Field(default=None, description="What the run is given; rendered.")
    logical_date: Moment | None = Field(default=None, description="Logical date of the run; rendered.")
    run_after: str | None = Field(default=None, description="Moment before which it does not begin.")
    reset_dag_run: bool = Field(default=False, description="Whether a run that is there is cleared.")
    skip_when_already_exists: bool = Field(
        default=False, description="Whether the task is skipped if that run is there."
    )
    fail_when_dag_is_paused: bool = Field(default=False, description="Whether it fails if the DAG is paused.")
    wait_for_completion: bool = Field(default=False, description="Whether it waits for the run's end.")
    poke_interval: WholeSeconds | None = Field(
        default=None, description="How often it looks; 60s by default."
    )
    allowed_states: list[RunState] | None = Field(
        default=None, description="States of the run that mean success."
    )
    failed_states: list[RunState] | None = Field(
        default=None, description="States of the run that mean failure."
    )
    note: str | None = Field(default=None, description="Note on the run.")
    deferrable: bool = Field(
        default=True, description="Whether the triggerer waits instead of a worker, where it waits."
    )


class _Sensor(_Parameters):
    poke_interval: Seconds | None = Field(default=None, description="How often it looks; 60s by default.")
    timeout: Seconds | None = Field(
        default=None, description="How long it waits before it fails; a week by default."
    )
    soft_fail: bool = Field(default=False, description="Whether it is skipped instead of failing.")
    deferrable: bool = Field(default=True, description="Whether the triggerer waits instead of a worker.")


class _WaitForDag(_Sensor):
    """Parameters of `airflow.wait_for_dag`."""

    external_dag_id: str = Field(min_length=1, max_length=250, description="DAG to wait for; rendered.")
    external_task_id: str | None = Field(
        default=None, description="Its task to wait for instead of the run; rendered."
    )
    external_task_ids: list[str] | None = Field(default=None, description="Several of its tasks; rendered.")
    external_task_group_id: str | None = Field(default=None, description="A group of its tasks; rendered.")
    execution_delta: Duration | None = Field(
        default=None, description="How much earlier the other run's logical date is; the same by default."
    )
    allowed_states: list[TaskState] | None = Field(default=None, description="States that mean success.")
    failed_states: list[TaskState] | None = Field(
        default=None, description="States that mean failure; without them it waits on."
    )
    skipped_states: list[TaskState] | None = Field(default=None, description="States that mean skipped.")
    check_existence: bool = Field(
        default=False, description="Whether it fails at once if the DAG or task is not there."
    )

    @model_validator(mode="after")
    def _one(self) -> _WaitForDag:
        names = ("external_task_id", "external_task_ids", "external_task_group_id")
        if sum(getattr(self, name) is not None for name in names) > 1:
            message = f"write one of {', '.join(names)}, or none to wait for the run"
            raise ValueError(message)
        return self


class _WaitForFile(_Sensor):
    """Parameters of `airflow.wait_for_file`."""

    filepath: str = Field(min_length=1, description="Path or glob pattern; rendered.")
    fs_conn_id: str | None = Field(
        default=None, description="Connection whose path it is below; without one filepath stands for itself."
    )
    recursive: bool = Field(default=False, description="Whether ** goes into folders below.")


class _WaitUntil(_Parameters):
    """Parameters of `airflow.wait_until`."""

    target_time: Moment = Field(
        min_length=1,
        description="Moment to wait for, ISO 8601; rendered, as in {{ data_interval_end.add(hours=1) }}.",
    )


@dataclass(frozen=True)
class _Spec:
    name: str
    operator: str
    parameters: type[BaseModel]
    summary: str


EMPTY = _Spec(
    "airflow.empty", f"{_STANDARD}.operators.empty.EmptyOperator", _Empty, "Do nothing; join paths."
)
BASH = _Spec("airflow.bash", f"{_STANDARD}.operators.bash.BashOperator", _Bash, "Run shell commands.")
PYTHON = _Spec("airflow.python", f"{_OWN}.python.CallableOperator", _Python, "Call a Python function.")
BRANCH = _Spec(
    "airflow.branch",
    f"{_OWN}.python.BranchOperator",
    _Branch,
    "Go on with the chosen tasks; skip the others.",
)
SHORT_CIRCUIT = _Spec(
    "airflow.short_circuit",
    f"{_OWN}.python.ConditionOperator",
    _ShortCircuit,
    "Go on only if a condition holds.",
)
TRIGGER_DAG = _Spec(
    "airflow.trigger_dag",
    f"{_STANDARD}.operators.trigger_dagrun.TriggerDagRunOperator",
    _TriggerDag,
    "Start a run of another DAG.",
)
WAIT_FOR_DAG = _Spec(
    "airflow.wait_for_dag",
    f"{_STANDARD}.sensors.external_task.ExternalTaskSensor",
    _WaitForDag,
    "Wait for a run, or tasks, of another DAG.",
)
WAIT_FOR_FILE = _Spec(
    "airflow.wait_for_file",
    f"{_OWN}.files.FileArrivalSensor",
    _WaitForFile,
    "Wait for files to arrive, and hand on their paths.",
)
WAIT_UNTIL = _Spec(
    "airflow.wait_until",
    f"{_STANDARD}.sensors.date_time.DateTimeSensorAsync",
    _WaitUntil,
    "Wait for a moment.",
)
