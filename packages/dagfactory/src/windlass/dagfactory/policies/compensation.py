"""An operator that runs when a task or a DAG run has failed, to undo or to clean up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["Compensation", "Failure", "compensation"]


@dataclass(frozen=True)
class Failure:
    """What failed; templates see it as `failure`."""

    dag_id: str
    run_id: str
    task_id: str | None
    map_index: int
    try_number: int | None
    reason: str | None


class Compensation:
    """A failure callback that runs an operator; see `compensation`."""

    def __init__(self, *, operator: type[BaseOperator], task_id: str, arguments: Mapping[str, Any]) -> None:
        self.operator = operator
        self.task_id = task_id
        self.arguments = dict(arguments)

    def __call__(self, context: Mapping[str, Any]) -> None:
        """Run the operator."""
        raise NotImplementedError


def compensation(
    *, operator: type[BaseOperator], task_id: str, arguments: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], None]:
    """Make a failure callback that runs an operator."""
    return Compensation(operator=operator, task_id=task_id, arguments=arguments)
