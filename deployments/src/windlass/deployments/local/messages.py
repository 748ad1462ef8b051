"""The messages between the command a user types and the host that holds Airflow's services.

JSON lines: commands to the host's standard input, events from its standard output. The command never imports
Airflow, so that it answers at once; the host does, and it alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

__all__ = [
    "Boot",
    "Booted",
    "Broken",
    "Command",
    "DagReady",
    "Event",
    "ImportFailed",
    "Keep",
    "Respawned",
    "Run",
    "RunFinished",
    "Stop",
    "TaskChanged",
    "TaskOutcome",
    "commands",
    "events",
]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> bytes:
        """The message as one line of JSON."""
        return self.model_dump_json().encode("utf-8") + b"\n"


class Boot(_Message):
    """Read the configuration, prepare the metadata database and start the services."""

    do: Literal["boot"] = "boot"
    apps: Literal["execution", "all"] = "execution"
    warehouse_dsn: str


class Run(_Message):
    """Run the DAG once and report its tasks as they change."""

    do: Literal["run"] = "run"
    dag_id: str
    timeout: float


class Keep(_Message):
    """Stay when the command ends."""

    do: Literal["keep"] = "keep"


class Stop(_Message):
    """End all services, then yourself."""

    do: Literal["stop"] = "stop"


class Booted(_Message):
    """The services answer."""

    event: Literal["booted"] = "booted"


class Respawned(_Message):
    """A service died and was started again."""

    event: Literal["respawned"] = "respawned"
    service: str
    reason: str


class Broken(_Message):
    """The host cannot go on."""

    event: Literal["broken"] = "broken"
    service: str
    reason: str


class ImportFailed(_Message):
    """Airflow could not import what it was to run."""

    event: Literal["import_failed"] = "import_failed"
    errors: dict[str, str]


class DagReady(_Message):
    """The DAG is parsed; its run has begun."""

    event: Literal["dag_ready"] = "dag_ready"
    dag_id: str
    run_id: str
    tasks: list[str]


class TaskChanged(_Message):
    """A task instance has another state."""

    event: Literal["task"] = "task"
    task_id: str
    state: str
    seconds: float | None = None


class TaskOutcome(_Message):
    """How a task instance ended."""

    task_id: str
    map_index: int = -1
    state: str
    seconds: float | None
    tries: int
    log: str | None = None
    result: Any = None


class RunFinished(_Message):
    """The run is over."""

    event: Literal["run_finished"] = "run_finished"
    state: str
    seconds: float
    tasks: list[TaskOutcome]


Command = Boot | Run | Keep | Stop
Event = Booted | Respawned | Broken | ImportFailed | DagReady | TaskChanged | RunFinished

commands: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="do")])
events: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
