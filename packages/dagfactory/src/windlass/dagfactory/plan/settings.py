"""Settings of tasks in the words of Airflow's constructors, each combination worked out once a DAG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from windlass.dagfactory.checks.parameters import validated
from windlass.dagfactory.model import SETTINGS, DagConfig, DagNotifyConfig, SettingsMerger, TaskConfig
from windlass.dagfactory.model.settings import NotifierConfig
from windlass.dagfactory.plan.model import NotifierPlan, Notify, RetryPlan, SettingsPlan
from windlass.dagfactory.registry import is_class_path, notifier_registry

__all__ = ["SettingsPlanner", "plan_notify"]

_RETRY_DELAY = timedelta(minutes=5)


class SettingsPlanner:
    """Tells what the settings of a config's tasks come to.

    Args:
        config: The config.
    """

    def __init__(self, config: DagConfig) -> None:
        self._merger = SettingsMerger(config)
        self._by_operator: dict[str, SettingsPlan] = {}
        self._notify: dict[int, Notify] = {}

    def of(self, task: TaskConfig) -> SettingsPlan:
        """Give the settings of a task; tasks with one operator that say nothing themselves share them."""
        if not SETTINGS.isdisjoint(task.model_fields_set):
            return self._plan(task)
        found = self._by_operator.get(task.operator)
        if found is None:
            found = self._by_operator[task.operator] = self._plan(task)
        return found

    def _plan(self, task: TaskConfig) -> SettingsPlan:
        settings = self._merger.of(task)
        notify, retry = settings.pop("notify", None), settings.pop("retry", None)
        timeout = settings.pop("timeout", None)
        policy = None
        if retry:
            settings.update(_retry_arguments(retry))
            policy = _retry_policy(retry)
        return SettingsPlan(settings, timeout, policy, self._planned(notify))

    def _planned(self, notify: DagNotifyConfig | None) -> Notify:
        found = self._notify.get(id(notify))
        if found is None:
            found = self._notify[id(notify)] = plan_notify(notify)
        return found


def plan_notify(notify: DagNotifyConfig | None) -> Notify:
    """Tell which notifiers are to be constructed for which of Airflow's callbacks."""
    if notify is None:
        return ()
    return tuple(
        (f"{event}_callback", tuple(map(_notifier, getattr(notify, event))))
        for event in type(notify).model_fields
        if getattr(notify, event)
    )


def _notifier(entry: NotifierConfig) -> NotifierPlan:
    if is_class_path(entry.notifier):
        return NotifierPlan(entry.notifier, entry.args)
    registry = notifier_registry()
    spec = registry.get(entry.notifier)
    return NotifierPlan(registry.class_path(spec), validated(spec.parameters.model_validate(entry.args)))


def _retry_arguments(retry: Mapping[str, Any]) -> dict[str, Any]:
    """Say a retry in Airflow's words: they decide where no policy is asked, as after a lost heartbeat."""
    delay, multiplier, cap = retry.get("delay", _RETRY_DELAY), retry.get("multiplier", 1), retry.get("cap")
    arguments: dict[str, Any] = {"retries": retry["attempts"] - 1, "retry_delay": delay}
    if multiplier > 1:
        arguments["retry_exponential_backoff"] = multiplier
        if cap is not None:
            arguments["max_retry_delay"] = cap
    elif cap is not None:  # Airflow caps only waits that grow
        arguments["retry_delay"] = min(delay, cap)
    return arguments


def _retry_policy(retry: Mapping[str, Any]) -> RetryPlan | None:
    """Give the policy for what Airflow's own words cannot say.

    Airflow's waits have jitter exactly when they grow, the same for all runs and map indices.
    """
    policy = RetryPlan(
        retry.get("delay", _RETRY_DELAY),
        retry.get("multiplier", 1),
        retry.get("cap"),
        retry.get("jitter", True),
        tuple(retry.get("on", ())),
        tuple(retry.get("never_on", ())),
    )
    asked = policy.on or policy.never_on or policy.jitter or policy.multiplier > 1
    return policy if asked and retry["attempts"] > 1 else None
