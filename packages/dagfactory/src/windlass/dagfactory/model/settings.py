"""What Airflow is told of a task beside its operator: settings that defaults may hold and tasks override."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from windlass.dagfactory.model.base import ClassPath, Count, Name, Strict, UserName
from windlass.dagfactory.values import Duration, PositiveDuration

__all__ = [
    "CompensateConfig",
    "DagNotifyConfig",
    "DefaultsConfig",
    "NotifierConfig",
    "OperatorDefaultsConfig",
    "RetryConfig",
    "TaskNotifyConfig",
    "TaskSettings",
    "TriggerRule",
    "WeightRule",
]

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
WeightRule = Literal["downstream", "upstream", "absolute"]


class RetryConfig(Strict):
    """How often a task is tried, how long Airflow waits in between, and after which failures.

    After the n-th try Airflow waits at most `delay x multiplier^(n-1)`, and at most `cap`: that long without
    jitter, and with it a random part of that.
    """

    attempts: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Tries in all: 1 means no retry. Needed, here or in defaults.",
    )
    delay: Duration | None = Field(default=None, description="Wait before the second try; 5m by default.")
    multiplier: float | None = Field(
        default=None, ge=1, le=100, description="Factor by which the wait grows with each try; 1 by default."
    )
    cap: PositiveDuration | None = Field(default=None, description="Longest wait.")
    jitter: bool | None = Field(
        default=None,
        description="Whether each wait is a random part of that, another for each run, task and map index; "
        "true by default.",
    )
    on: list[ClassPath] | None = Field(
        default=None, min_length=1, description="Retry only after these exceptions, by import path."
    )
    never_on: list[ClassPath] | None = Field(
        default=None, min_length=1, description="Fail at once after these exceptions, by import path."
    )


class NotifierConfig(Strict):
    """Who is told, and how."""

    notifier: Name = Field(description="A registered short name, or the import path of a notifier class.")
    args: dict[str, Any] = Field(default_factory=dict, description="The notifier's parameters.")


class DagNotifyConfig(Strict):
    """Who is told of a run's end."""

    on_failure: list[NotifierConfig] = Field(default_factory=list, description="When the run has failed.")
    on_success: list[NotifierConfig] = Field(default_factory=list, description="When the run has succeeded.")


class TaskNotifyConfig(DagNotifyConfig):
    """Who is told of what happens to a task."""

    on_failure: list[NotifierConfig] = Field(
        default_factory=list, description="When the task has failed for good."
    )
    on_success: list[NotifierConfig] = Field(default_factory=list, description="When it has succeeded.")
    on_retry: list[NotifierConfig] = Field(default_factory=list, description="Before it is tried again.")
    on_execute: list[NotifierConfig] = Field(default_factory=list, description="Right before it runs.")
    on_skipped: list[NotifierConfig] = Field(default_factory=list, description="When it skips itself.")


class CompensateConfig(Strict):
    """What undoes or cleans up when a task or a run fails, times out or is aborted."""

    operator: Name = Field(description="A registered short name, or the import path of an operator class.")
    args: dict[str, Any] = Field(default_factory=dict, description="The operator's parameters.")


class TaskSettings(Strict):
    """Settings of a task under Airflow's own names; null takes back what defaults say."""

    retry: RetryConfig | None = Field(default=None, description="How often it is tried, and when again.")
    timeout: PositiveDuration | None = Field(default=None, description="Longest run of one try.")
    pool: Name | None = Field(default=None, description="Pool whose slots it takes.")
    pool_slots: Count | None = Field(default=None, description="How many slots of the pool it takes.")
    queue: Name | None = Field(default=None, description="Queue of the executor's workers.")
    priority_weight: int | None = Field(
        default=None, ge=-(2**31), lt=2**31, description="Weight among tasks that wait for a slot."
    )
    weight_rule: WeightRule | None = Field(
        default=None, description="Whose weights add up: those of tasks after it, before it, or only its own."
    )
    trigger_rule: TriggerRule | None = Field(
        default=None, description="What must have become of the tasks before; all_success by default."
    )
    depends_on_past: bool | None = Field(
        default=None, description="Whether it waits for its own success in the run before."
    )
    wait_for_downstream: bool | None = Field(
        default=None, description="Whether it also waits for the tasks after it in the run before."
    )
    max_active_tis_per_dag: Count | None = Field(
        default=None, description="How many of its instances run at once, over all runs."
    )
    max_active_tis_per_dagrun: Count | None = Field(
        default=None, description="How many of its instances run at once in one run."
    )
    do_xcom_push: bool | None = Field(default=None, description="Whether its return value is kept as XCom.")
    executor: Name | None = Field(default=None, description="Executor that runs it, by name or alias.")
    run_as_user: UserName | None = Field(
        default=None, description="User of the worker's machine that it runs as, by sudo."
    )
    owner: Name | None = Field(default=None, description="Who is responsible; the DAG's owner by default.")
    notify: TaskNotifyConfig | None = Field(default=None, description="Who is told of what happens to it.")


class OperatorDefaultsConfig(TaskSettings):
    """What tasks with one operator get unless they say otherwise."""

    args: dict[str, Any] = Field(default_factory=dict, description="Parameters of the operator.")


class DefaultsConfig(TaskSettings):
    """What every task of the DAG gets unless it says otherwise."""

    operators: dict[Name, OperatorDefaultsConfig] = Field(
        default_factory=dict,
        description="Defaults by operator, named as tasks name it; they go before the general ones.",
    )
