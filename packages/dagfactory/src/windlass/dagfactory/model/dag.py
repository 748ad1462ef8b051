"""A whole config: the DAG's own keys under Airflow's names, and its tasks."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from windlass.dagfactory.model.access import AccessControl
from windlass.dagfactory.model.assets import Schedule
from windlass.dagfactory.model.base import Count, Name, Strict, Tag, Text
from windlass.dagfactory.model.settings import CompensateConfig, DagNotifyConfig, DefaultsConfig
from windlass.dagfactory.model.task import Entry
from windlass.dagfactory.values import Moment, PositiveDuration

__all__ = ["DagConfig"]


def _link(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError as error:
        raise PydanticCustomError("link", "not a link") from error
    if not (parts.path if parts.scheme == "mailto" else parts.scheme and parts.netloc):
        raise PydanticCustomError("link", "not a link")
    return value


Link = Annotated[str, Field(max_length=2000), AfterValidator(_link)]


# A Literal of 1 would take true and 1.0 for it, as Python does.
Version = Annotated[int, Field(ge=1, le=1), WithJsonSchema({"const": 1, "type": "integer"})]


class DagConfig(Strict):
    """A DAG: the whole content of a config file."""

    schema_uri: str | None = Field(default=None, alias="$schema", description="For editors; not read.")
    schema_version: Version = Field(default=1, description="Version of this format.")
    dag_id: Name = Field(description="{domain}_{pipeline}_{version}, as the folder or file is named.")
    dag_display_name: Name | None = Field(
        default=None, description="Name that the UI shows instead of the id."
    )
    description: Text | None = Field(default=None, description="What the DAG is for, in a line.")
    doc_md: Text | None = Field(
        default=None, description="Markdown, or the name of an .md file beside the config."
    )
    schedule: Schedule | None = Field(
        default=None,
        description="Cron expression, preset such as @daily, interval, assets, timetable, or null.",
    )
    timezone: Name = Field(default="UTC", description="IANA name; schedule and dates are in it.")
    start_date: Moment | None = Field(default=None, description="Absolute ISO 8601 date or datetime.")
    end_date: Moment | None = Field(default=None, description="Absolute ISO 8601 date or datetime.")
    catchup: bool = Field(default=False, description="Whether runs since start_date are made up for.")
    max_active_runs: Count | None = Field(default=None, description="How many runs may go on at once.")
    max_active_tasks: Count | None = Field(
        default=None, description="How many task instances of the DAG run at once."
    )
    max_consecutive_failed_dag_runs: int | None = Field(
        default=None, ge=0, lt=2**31, description="After so many failed runs the DAG is paused; 0 for never."
    )
    dagrun_timeout: PositiveDuration | None = Field(default=None, description="Longest run of the DAG.")
    fail_fast: bool = Field(default=False, description="Whether one failed task stops all that run.")
    is_paused_upon_creation: bool | None = Field(
        default=None, description="Whether the DAG is paused when it is first seen."
    )
    render_template_as_native_obj: bool = Field(
        default=False, description="Whether templates give Python values rather than text."
    )
    tags: list[Tag] = Field(default_factory=list, description="Tags to find it by in the UI.")
    owner: Name | None = Field(default=None, description="Who is responsible for its tasks.")
    owner_links: dict[Name, Link] = Field(
        default_factory=dict, description="A link, http or mailto, for each owner."
    )
    access_control: AccessControl | None = Field(
        default=None,
        description="What each role may do with the DAG, where Airflow's auth manager is FAB; by default "
        "what the role may do with all.",
    )
    params: dict[str, Any] = Field(
        default_factory=dict,
        description='Parameters of a run: plain values, or {"default": …, "type": …} with keywords of JSON '
        'Schema and, for its place in the form, "order": a whole number.',
    )
    variables: list[Name] = Field(
        default_factory=list,
        description="Environment variables that may stand as ${NAME} in values of this config.",
    )
    notify: DagNotifyConfig | None = Field(default=None, description="Who is told of a run's end.")
    compensate: CompensateConfig | None = Field(default=None, description="What runs when a run fails.")
    defaults: DefaultsConfig = Field(
        default_factory=DefaultsConfig, description="What every task gets unless it says otherwise."
    )
    tasks: dict[str, Entry] = Field(min_length=1, description="Tasks and groups of tasks, by id.")
