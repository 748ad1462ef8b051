"""What a config may say: the pydantic model, strict, with unknown keys refused everywhere.

What is said of mistakes (`findings`, `habits`, `instead`) is imported once there is one.
"""

from __future__ import annotations

from windlass.dagfactory.model.access import AccessConfig, granted
from windlass.dagfactory.model.assets import (
    AliasConfig,
    AllAssetsConfig,
    AnyAssetConfig,
    AssetConfig,
    EveryConfig,
    TimetableConfig,
)
from windlass.dagfactory.model.dag import DagConfig
from windlass.dagfactory.model.merge import SETTINGS, SettingsMerger, setting_origins
from windlass.dagfactory.model.settings import (
    CompensateConfig,
    DagNotifyConfig,
    DefaultsConfig,
    NotifierConfig,
    OperatorDefaultsConfig,
    RetryConfig,
    TaskNotifyConfig,
    TaskSettings,
    TriggerRule,
)
from windlass.dagfactory.model.task import Entry, GroupConfig, OutputOf, TaskConfig, TeardownConfig
from windlass.dagfactory.model.walk import FoundTask, walk_tasks

__all__ = [
    "SETTINGS",
    "AccessConfig",
    "AliasConfig",
    "AllAssetsConfig",
    "AnyAssetConfig",
    "AssetConfig",
    "CompensateConfig",
    "DagConfig",
    "DagNotifyConfig",
    "DefaultsConfig",
    "Entry",
    "EveryConfig",
    "FoundTask",
    "GroupConfig",
    "NotifierConfig",
    "OperatorDefaultsConfig",
    "OutputOf",
    "RetryConfig",
    "SettingsMerger",
    "TaskConfig",
    "TaskNotifyConfig",
    "TaskSettings",
    "TeardownConfig",
    "TimetableConfig",
    "TriggerRule",
    "granted",
    "setting_origins",
    "walk_tasks",
]
