"""One example of each key that shows more than its type does; the others follow from their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EXAMPLES", "example_of"]

_NOTE = {"notifier": "log", "args": {"message": "The day's sales are late."}}

EXAMPLES: Mapping[str, Any] = {
    "$schema": "../dag.schema.json",
    "schema_version": 1,
    "dag_id": "sales_daily_load_v1",
    "dag_display_name": "Sales, daily",
    "task_display_name": "Land the sales",
    "group_display_name": "Landing",
    "description": "Land, check and publish the day's sales.",
    "doc_md": "sales.md",
    "schedule": "0 5 * * *",
    "timezone": "Europe/Berlin",
    "max_active_runs": 1,
    "max_active_tasks": 16,
    "max_consecutive_failed_dag_runs": 3,
    "tags": ["sales", "daily"],
    "owner": "data-team",
    "owner_links": {"data-team": "mailto:data@example.org"},
    "access_control": {"Viewer": ["can_read"], "Sales": {"DAGs": ["can_edit"], "DAG Runs": ["can_create"]}},
    "DAGs": ["can_read", "can_edit"],
    "DAG Runs": ["can_create"],
    "run_as_user": "etl",
    "params": {"region": "emea", "days": {"type": "integer", "default": 1, "minimum": 1}},
    "variables": ["REGION"],
    "notify": {"on_failure": [_NOTE]},
    "compensate": {"operator": "acme.operators.RemoveStagedRows", "args": {"table": "staging.sale"}},
    "defaults": {"timeout": "10m", "retry": {"attempts": 3}},
    "tasks": {
        "land": {"operator": "warehouse.load_file", "args": {"file": "a.csv", "table": "staging.sale"}}
    },
    "operators": {"warehouse.load_file": {"pool": "files", "args": {"max_rejects": 10}}},
    "operator": "warehouse.load_file",
    "args": {"file": "sales.csv", "table": "staging.sale"},
    "depends_on": ["land"],
    "tooltip": "All that is landed",
    "retry": {"attempts": 3, "delay": "30s", "multiplier": 2, "cap": "5m"},
    "attempts": 3,
    "multiplier": 2,
    "on": ["builtins.ConnectionError"],
    "never_on": ["builtins.ValueError"],
    "pool": "warehouse",
    "queue": "default",
    "executor": "LocalExecutor",
    "priority_weight": 10,
    "expand": {"file": ["north.csv", "south.csv"]},
    "expand_kwargs": [{"file": "north.csv"}, {"file": "south.csv", "mode": "replace"}],
    "map_index_template": "{{ task.file }}",
    "teardown": ["open_connection"],
    "setups": ["open_connection"],
    "outlets": [{"asset": "sales"}],
    "inlets": [{"asset": "orders"}],
    "executor_config": {"pod_override": {}},
    "output_of": "list_files",
    "notifier": "log",
    "asset": "sales",
    "uri": "s3://lake/sales",
    "group": "sales",
    "alias": "sales-files",
    "any": [{"asset": "orders"}, {"asset": "returns"}],
    "all": [{"asset": "orders"}, {"asset": "returns"}],
    "every": "6h",
    "timetable": "acme.calendar.Workdays",
    "key": "files",
}
_BY_OWNER: Mapping[str, Mapping[str, Any]] = {
    "NotifierConfig": {"args": {"message": "The day's sales are late."}},
    "TimetableConfig": {"args": {"country": "DE"}},
    "CompensateConfig": {"operator": "acme.operators.RemoveStagedRows", "args": {"table": "staging.sale"}},
    "TaskConfig": {"doc_md": "Orders of the day. **Ask** the shop's team."},
    "GroupConfig": {"tasks": {"land": {"operator": "acme.operators.Land"}}},
    "OperatorDefaultsConfig": {"args": {"max_rejects": 10}},
}


def example_of(owner: str, key: str, schema: Mapping[str, Any]) -> Any:
    """Give an example of a key of a part of a config.

    Args:
        owner: The part, by its model's name.
        key: The key.
        schema: The key's own schema, from which plain examples follow.

    Returns:
        A value that the model accepts, or None if nothing is known.
    """
    for known in (_BY_OWNER.get(owner, {}), EXAMPLES):
        if key in known:
            return known[key]
    if key.startswith("on_") and key != "on_failure_fail_dagrun":
        return [_NOTE]
    return _by_type(schema)


def _by_type(schema: Mapping[str, Any]) -> Any:
    if examples := schema.get("examples"):
        return examples[0]
    if choices := [choice for choice in schema.get("enum", ()) if choice is not None]:
        return choices[-1]
    kinds = schema.get("type", ())
    if "boolean" in kinds:
        return schema.get("default") is not True
    return 4 if "integer" in kinds else None
