"""When a DAG runs: cron, an interval, a timetable, or what happens to assets."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field
from pydantic import Tag as Branch

from windlass.dagfactory.model.base import ClassPath, Name, Strict, branch
from windlass.dagfactory.values import PositiveDuration

__all__ = [
    "AliasConfig",
    "AllAssetsConfig",
    "AnyAssetConfig",
    "AssetConfig",
    "AssetExpression",
    "EveryConfig",
    "Inlet",
    "Schedule",
    "TimetableConfig",
]

AssetName = Annotated[str, Field(min_length=1, max_length=1500)]


class AssetConfig(Strict):
    """An asset, by name, or by URI, which is then its name too."""

    asset: AssetName = Field(description="Name or URI of the asset.")
    uri: AssetName | None = Field(default=None, description="URI, if the asset has a name of its own.")
    group: AssetName | None = Field(default=None, description='Group of the asset; Airflow\'s is "asset".')


class AliasConfig(Strict):
    """An asset alias: tasks name the assets behind it while they run."""

    alias: AssetName = Field(description="Name of the alias.")


class AnyAssetConfig(Strict):
    """One of several: an update of any of them is enough."""

    any_of: list[AssetExpression] = Field(
        alias="any", min_length=1, description="Assets of which one must have been updated."
    )


class AllAssetsConfig(Strict):
    """All of several: each must have been updated since the last run."""

    all_of: list[AssetExpression] = Field(
        alias="all", min_length=1, description="Assets that must all have been updated."
    )


class EveryConfig(Strict):
    """A fixed interval between runs."""

    every: PositiveDuration = Field(description='Time between two runs, such as "6h".')


class TimetableConfig(Strict):
    """A timetable class of Airflow, of a provider or of one's own."""

    timetable: ClassPath = Field(description="Import path of the timetable class.")
    args: dict[str, Any] = Field(
        default_factory=dict,
        description="Arguments of its constructor; a parameter called timezone is the config's by default.",
    )


def _key(*keys: str) -> Any:
    """Choose a branch by the first of the keys that an object has."""

    def choose(value: Any) -> str | None:
        if isinstance(value, dict):
            return next((branch(key) for key in keys if key in value), None)
        return branch("text") if isinstance(value, str) and "every" in keys else _of_model(value)

    return choose


def _of_model(value: Any) -> str | None:
    """Find the branch of what is already a model, for writing it back."""
    for kind, name in (
        (AssetConfig, "asset"),
        (AliasConfig, "alias"),
        (AnyAssetConfig, "any"),
        (AllAssetsConfig, "all"),
        (EveryConfig, "every"),
        (TimetableConfig, "timetable"),
    ):
        if isinstance(value, kind):
            return branch(name)
    return None


AssetExpression = Annotated[
    Annotated[AssetConfig, Branch(branch("asset"))]
    | Annotated[AliasConfig, Branch(branch("alias"))]
    | Annotated[AnyAssetConfig, Branch(branch("any"))]
    | Annotated[AllAssetsConfig, Branch(branch("all"))],
    Discriminator(
        _key("asset", "any", "all", "alias"), custom_error_type="asset_type", custom_error_message="no asset"
    ),
]
Inlet = Annotated[
    Annotated[AssetConfig, Branch(branch("asset"))] | Annotated[AliasConfig, Branch(branch("alias"))],
    Discriminator(_key("asset", "alias"), custom_error_type="inlet_type", custom_error_message="no asset"),
]
Schedule = Annotated[
    Annotated[Name, Branch(branch("text"))]
    | Annotated[EveryConfig, Branch(branch("every"))]
    | Annotated[TimetableConfig, Branch(branch("timetable"))]
    | Annotated[AssetConfig, Branch(branch("asset"))]
    | Annotated[AliasConfig, Branch(branch("alias"))]
    | Annotated[AnyAssetConfig, Branch(branch("any"))]
    | Annotated[AllAssetsConfig, Branch(branch("all"))],
    Discriminator(
        _key("every", "timetable", "asset", "any", "all", "alias"),
        custom_error_type="schedule_type",
        custom_error_message="no schedule",
    ),
]
AnyAssetConfig.model_rebuild()
AllAssetsConfig.model_rebuild()
