"""Who may see and run a DAG, in the words of Airflow's FAB auth manager."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field
from pydantic import Tag as Branch

from windlass.dagfactory.model.base import Name, Strict, branch

__all__ = ["AccessConfig", "AccessControl", "granted"]

DagAction = Literal["can_read", "can_edit", "can_delete"]
RunAction = Literal["can_read", "can_create", "can_delete", "menu_access"]


class AccessConfig(Strict):
    """What a role may do with a DAG, and with its runs."""

    dags: list[DagAction] | None = Field(
        default=None, alias="DAGs", min_length=1, description="What it may do with the DAG."
    )
    runs: list[RunAction] | None = Field(
        default=None, alias="DAG Runs", min_length=1, description="What it may do with the DAG's runs."
    )


def _shape(value: Any) -> str | None:
    if isinstance(value, list):
        return branch("actions")
    return branch("access") if isinstance(value, dict | Strict) else None


Access = Annotated[
    Annotated[list[DagAction], Field(min_length=1), Branch(branch("actions"))]
    | Annotated[AccessConfig, Branch(branch("access"))],
    Discriminator(_shape, custom_error_type="access_type", custom_error_message="no access"),
]
AccessControl = dict[Name, Access]


def granted(access: AccessControl) -> dict[str, dict[str, set[str]]]:
    """Say access as Airflow takes it: role, resource, actions.

    Args:
        access: What the config says.
    """
    return {role: _resources(each) for role, each in sorted(access.items())}


def _resources(access: list[DagAction] | AccessConfig) -> dict[str, set[str]]:
    if isinstance(access, list):
        return {"DAGs": set(access)}
    given = {"DAG Runs": access.runs, "DAGs": access.dags}
    return {name: set(actions) for name, actions in given.items() if actions is not None}
