"""What configs may say of the notifiers here; imports no Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LOG", "Level", "LogParameters"]

Level = Literal["info", "warning", "error"]


class LogParameters(BaseModel):
    """Parameters of `log`."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(
        default="{{ dag.dag_id }} {{ run_id }}", description="What to say; Jinja over Airflow's context."
    )
    level: Level = Field(default="info", description="Level of the log event.")


@dataclass(frozen=True)
class _Spec:
    name: str
    notifier: str
    parameters: type[BaseModel]
    summary: str


LOG = _Spec(
    "log",
    "windlass.dagfactory.notifiers.log.LogNotifier",
    LogParameters,
    "Write an event to the log of the task, or of the dag processor for a DAG.",
)
"""Spec of the notifier `log`."""
