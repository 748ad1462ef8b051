"""The entries of `tasks`: tasks, mapped or not, and groups of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field
from pydantic import Tag as Branch

from windlass.dagfactory.model.assets import Inlet
from windlass.dagfactory.model.base import Name, Strict, Text, branch
from windlass.dagfactory.model.settings import CompensateConfig, TaskSettings

__all__ = ["Entry", "GroupConfig", "OutputOf", "TaskConfig", "TeardownConfig"]


class OutputOf(Strict):
    """What another task returns, known when that task has run."""

    output_of: Name = Field(description="The task; it runs before, as if under depends_on.")


class TeardownConfig(Strict):
    """Which setups a teardown belongs to, and what its own failure means."""

    setups: list[Name] = Field(min_length=1, description="The setup tasks that it cleans up after.")
    on_failure_fail_dagrun: bool = Field(
        default=False, description="Whether the run fails when the teardown does."
    )


def _shape(of_list: str, of_object: str) -> Any:
    """Choose a branch by whether the value is an array or an object."""

    def choose(value: Any) -> str | None:
        if isinstance(value, list):
            return branch(of_list)
        return branch(of_object) if isinstance(value, dict | Strict) else None

    return choose


Mapped = Annotated[
    Annotated[list[Any], Branch(branch("values"))] | Annotated[OutputOf, Branch(branch("output"))],
    Discriminator(
        _shape("values", "output"), custom_error_type="mapped_type", custom_error_message="not mappable"
    ),
]
MappedObjects = Annotated[
    Annotated[list[dict[str, Any]], Branch(branch("objects"))]
    | Annotated[OutputOf, Branch(branch("output"))],
    Discriminator(
        _shape("objects", "output"), custom_error_type="mapped_type", custom_error_message="not mappable"
    ),
]
Teardown = Annotated[
    Annotated[list[Name], Field(min_length=1), Branch(branch("names"))]
    | Annotated[TeardownConfig, Branch(branch("teardown"))],
    Discriminator(
        _shape("names", "teardown"), custom_error_type="teardown_type", custom_error_message="no teardown"
    ),
]


class TaskConfig(TaskSettings):
    """One task: the operator's parameters under `args`, Airflow's own settings beside them."""

    operator: Name = Field(description="A registered short name, or the import path of an operator class.")
    args: dict[str, Any] = Field(default_factory=dict, description="The operator's parameters.")
    depends_on: list[str] = Field(
        default_factory=list,
        description="Tasks and groups that run before: beside this one, beside a group around it, or by "
        "full id.",
    )
    task_display_name: Name | None = Field(
        default=None, description="Name that the UI shows instead of the id."
    )
    doc_md: Text | None = Field(default=None, description="Markdown that the UI shows.")
    expand: dict[Name, Mapped] | None = Field(
        default=None,
        min_length=1,
        description="Parameters with an array of values each, or with another task's output: one mapped "
        "instance a combination.",
    )
    expand_kwargs: MappedObjects | None = Field(
        default=None,
        description="An array of objects of parameters, or another task's output: one mapped instance each.",
    )
    map_index_template: Text | None = Field(
        default=None, description="Jinja template of a mapped instance's name."
    )
    setup: bool = Field(default=False, description="Whether it sets up what other tasks need.")
    teardown: Teardown | None = Field(
        default=None, description="The setup tasks after which it cleans up, whatever happens in between."
    )
    outlets: list[Inlet] = Field(default_factory=list, description="Assets that its success updates.")
    inlets: list[Inlet] = Field(default_factory=list, description="Assets whose events it reads.")
    compensate: CompensateConfig | None = Field(
        default=None, description="What runs when it fails for good, times out or is aborted."
    )
    executor_config: dict[str, Any] | None = Field(
        default=None, description="What the executor reads, by the executor's own rules."
    )


class GroupConfig(Strict):
    """A group of tasks, shown as one in the UI; dependencies of the group are those of all its tasks."""

    tasks: dict[str, Entry] = Field(min_length=1, description="Tasks and groups inside, by id.")
    depends_on: list[str] = Field(default_factory=list, description="Tasks and groups that run before it.")
    tooltip: Text | None = Field(default=None, description="What the UI shows when the pointer rests on it.")
    group_display_name: Name | None = Field(
        default=None, description="Name that the UI shows instead of the id."
    )
    prefix_group_id: bool = Field(
        default=True, description="Whether ids inside begin with the group's, as in group.task."
    )


def _entry(value: Any) -> str | None:
    if isinstance(value, dict):
        return branch("group" if "tasks" in value else "task")
    if isinstance(value, Strict):
        return branch("group" if isinstance(value, GroupConfig) else "task")
    return None


Entry = Annotated[
    Annotated[TaskConfig, Branch(branch("task"))] | Annotated[GroupConfig, Branch(branch("group"))],
    Discriminator(_entry, custom_error_type="entry_type", custom_error_message="no task"),
]
GroupConfig.model_rebuild()
