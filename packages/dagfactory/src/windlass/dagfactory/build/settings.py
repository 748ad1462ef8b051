"""Settings of tasks in the words of Airflow's constructors, each combination worked out once a DAG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.build.notify import NotifierMaker
from windlass.dagfactory.model import SETTINGS, DagConfig, SettingsMerger, TaskConfig
from windlass.dagfactory.policies import retry_policy, timeout_arguments

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["SettingsTranslator"]

_RETRY_DELAY = timedelta(minutes=5)


class SettingsTranslator:
    """Tells which arguments the settings of a config's tasks come to.

    Args:
        config: The config.
        notifiers: Makes the notifiers.
    """

    def __init__(self, config: DagConfig, notifiers: NotifierMaker) -> None:
        self._merger = SettingsMerger(config)
        self._notifiers = notifiers
        self._by_operator: dict[str, tuple[dict[str, Any], Any]] = {}

    def arguments(self, task: TaskConfig, operator: type[BaseOperator]) -> dict[str, Any]:
        """Give the arguments for a task, new lists of callbacks each time.

        Args:
            task: The task.
            operator: Its operator's class.
        """
        if SETTINGS.isdisjoint(task.model_fields_set):
            found = self._by_operator.get(task.operator)
            if found is None:
                found = self._by_operator[task.operator] = self._translate(task, operator)
        else:
            found = self._translate(task, operator)
        arguments, notify = found
        arguments = dict(arguments)
        for name, callbacks in self._notifiers.callbacks(notify).items():
            arguments[name] = [*arguments.get(name, ()), *callbacks]
        return arguments

    def _translate(self, task: TaskConfig, operator: type[BaseOperator]) -> tuple[dict[str, Any], Any]:
        settings = self._merger.of(task)
        notify = settings.pop("notify", None)
        retry = settings.pop("retry", None)
        timeout = settings.pop("timeout", None)
        if retry:
            settings.update(_retry_arguments(retry))
        if timeout is not None:
            settings.update(timeout_arguments(operator, timeout))
        return settings, notify


def _retry_arguments(retry: Mapping[str, Any]) -> dict[str, Any]:
    """Say a retry in Airflow's words, with a policy where those cannot say it.

    Airflow's own words are always there: they decide where no policy is asked, as after a lost heartbeat.
    """
    delay, multiplier, cap = retry.get("delay", _RETRY_DELAY), retry.get("multiplier", 1), retry.get("cap")
    arguments: dict[str, Any] = {"retries": retry["attempts"] - 1, "retry_delay": delay}
    if multiplier > 1:
        arguments["retry_exponential_backoff"] = multiplier
        if cap is not None:
            arguments["max_retry_delay"] = cap
    elif cap is not None:  # Airflow caps only waits that grow
        arguments["retry_delay"] = min(delay, cap)
    if retry["attempts"] > 1 and _needs_policy(retry, multiplier):
        arguments["retry_policy"] = retry_policy(
            delay=delay,
            multiplier=multiplier,
            cap=cap,
            jitter=retry.get("jitter", True),
            on=retry.get("on", ()),
            never_on=retry.get("never_on", ()),
        )
    return arguments


def _needs_policy(retry: Mapping[str, Any], multiplier: float) -> bool:
    """Airflow's waits have jitter exactly when they grow, the same for all runs and map indices."""
    return bool(retry.get("on") or retry.get("never_on") or retry.get("jitter", True) or multiplier > 1)
