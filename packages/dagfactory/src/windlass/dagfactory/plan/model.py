"""What a checked config comes to: the constructors to call, with which plain values, and in which order.

A plan is all that `windlass.dagfactory.build` needs. It holds no class of the model and nothing of Airflow,
so that it can be stored: a process that finds it stored imports neither model nor checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

__all__ = [
    "Call",
    "DagPlan",
    "GroupPlan",
    "NotifierPlan",
    "Notify",
    "Output",
    "RetryPlan",
    "SettingsPlan",
    "TaskPlan",
    "TeardownPlan",
]

_NO_FILES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Output:  # no tuple, which a list of values could be taken for
    """A value that is what another task returns.

    Attributes:
        task_id: That task.
    """

    task_id: str


class Call(NamedTuple):
    """How an operator is to be constructed.

    Attributes:
        operator: Import path of the class.
        arguments: Keyword arguments as the validated model holds them, only those the config sets.
        files: Which of them, mapped ones too, name files in the config's folder.
        expand: Mapped parameters by name, or None.
        rows: What `expand_kwargs` gets, or None.
    """

    operator: str
    arguments: Mapping[str, Any]
    files: frozenset[str] = _NO_FILES
    expand: Mapping[str, Any] | None = None
    rows: Any = None


class NotifierPlan(NamedTuple):
    """How a notifier is to be constructed.

    Attributes:
        notifier: Import path of the class.
        arguments: Keyword arguments.
    """

    notifier: str
    arguments: Mapping[str, Any]


Notify = tuple[tuple[str, tuple[NotifierPlan, ...]], ...]
"""Names of callbacks in Airflow's constructors, such as `on_failure_callback`, each with its notifiers."""


class RetryPlan(NamedTuple):
    """The keyword arguments of `windlass.dagfactory.policies.retry_policy`."""

    delay: timedelta
    multiplier: float
    cap: timedelta | None
    jitter: bool
    on: tuple[str, ...]
    never_on: tuple[str, ...]


class SettingsPlan(NamedTuple):
    """Settings of tasks in the words of Airflow's constructors; tasks that share them share the object.

    Attributes:
        arguments: Keyword arguments that are plain values.
        timeout: Longest run of one try, or None.
        retry: The retry policy, or None where Airflow's own words say all.
        notify: Who is told of what happens to the task.
    """

    arguments: Mapping[str, Any]
    timeout: timedelta | None
    retry: RetryPlan | None
    notify: Notify


class TaskPlan(NamedTuple):
    """A task.

    Attributes:
        task_id: Airflow's id.
        name: Its id in its group.
        path: Where it stands in the config.
        group: Id of the group around it; None for the DAG's own.
        call: How to construct its operator.
        settings: Its settings.
        own: Further keyword arguments that are plain values.
        assets: Outlets and inlets as the config has them, by the name of the keyword argument.
        compensate: What runs when it fails, or None.
        setup: Whether it sets up what others need.
        is_teardown: Whether it is a teardown.
    """

    task_id: str
    name: str
    path: tuple[str | int, ...]
    group: str | None
    call: Call
    settings: SettingsPlan
    own: Mapping[str, Any]
    assets: Mapping[str, Any]
    compensate: Call | None
    setup: bool
    is_teardown: bool


class GroupPlan(NamedTuple):
    """A group of tasks: the keyword arguments of `airflow.sdk.TaskGroup`, and where it is.

    Attributes:
        group_id: Airflow's id.
        parent: Id of the group around it; None for the DAG's own.
        arguments: Keyword arguments.
    """

    group_id: str
    parent: str | None
    arguments: Mapping[str, Any]


class TeardownPlan(NamedTuple):
    """What a teardown cleans up after.

    Attributes:
        task_id: The teardown.
        setups: Ids of its setups.
        on_failure_fail_dagrun: Whether the run fails when the teardown does.
    """

    task_id: str
    setups: tuple[str, ...]
    on_failure_fail_dagrun: bool


class DagPlan(NamedTuple):
    """A DAG.

    Attributes:
        dag_id: Its id.
        arguments: Keyword arguments of `airflow.sdk.DAG` that are plain values; those that a config leaves to
            Airflow's configuration are not among them.
        timezone: IANA name of the zone of its schedule and dates.
        schedule: Cron expression or preset, interval, the object of assets or timetable as the config has it,
            or None.
        start_date: First moment, in its own zone or none, or None.
        end_date: Last moment, likewise.
        params: Name, value and False, or name, keyword arguments of `airflow.sdk.Param` and True; in the
            order of the form.
        notify: Who is told of a run's end.
        compensate: What runs when a run fails, or None.
        groups: The groups, outer ones before those inside.
        tasks: The tasks, those whose output others are mapped over before these.
        teardowns: Which of them clean up after which.
        edges: Ids of tasks and groups: what runs before, what runs after; in the order of wiring.
    """

    dag_id: str
    arguments: Mapping[str, Any]
    timezone: str
    schedule: Any
    start_date: datetime | None
    end_date: datetime | None
    params: tuple[tuple[str, Any, bool], ...]
    notify: Notify
    compensate: Call | None
    groups: tuple[GroupPlan, ...]
    tasks: tuple[TaskPlan, ...]
    teardowns: tuple[TeardownPlan, ...]
    edges: tuple[tuple[str, str], ...]
