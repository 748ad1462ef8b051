"""Are things named so that they are found again: the DAG as its file, the ids by the convention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.diagnostics import Code, Finding

__all__ = ["check_names", "right_name"]

_DAG_ID = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+_v[0-9]+\Z")
_LONGEST_ID = 250
_NEAR_DAG = frozenset({"", "config", "configuration", "dag", "dags", "pipeline"})
_TASK_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,199}\Z")


def right_name(file_name: str) -> str:
    """Tell how a config's file is to be called, of one that Airflow does not find.

    Args:
        file_name: As it is called: `dags.json`, `sales_daily_load_v1.json`.
    """
    stem, _, suffix = file_name.partition(".")
    ending = next((known for known in ("json", "yaml", "yml") if suffix.lower().endswith(known)), "json")
    return f"dag.{ending}" if stem.lower() in _NEAR_DAG else f"{stem}.dag.{ending}"


def check_names(data: Mapping[str, Any], tree: Tree, expected: str) -> Iterator[Finding]:
    """Check the DAG id against the convention and the file's name, and the ids of tasks and groups.

    Args:
        data: The config.
        tree: Its tasks and groups.
        expected: What the folder or file is named.
    """
    dag_id = data.get("dag_id")
    if isinstance(dag_id, str) and dag_id:
        if not _DAG_ID.match(dag_id):
            message = f'the DAG id "{dag_id}" is not of the form {{domain}}_{{pipeline}}_{{version}}'
            yield Finding(Code.DAG_ID, ("dag_id",), message)
        if dag_id != expected:
            message = f'the DAG id is "{dag_id}", but its folder or file is named "{expected}"'
            yield Finding(
                Code.FILE_NAME, ("dag_id",), message, f'rename one: the DAG to "{expected}", or the file'
            )
    for node in (*tree.nodes.values(), *tree.repeated):
        name = str(node.path[-1])
        if not _TASK_ID.match(name):
            what = "group" if node.is_group else "task"
            yield Finding(Code.TASK_ID, node.path, f'"{name}" cannot be a {what} id', at="key")
        elif len(node.node_id) > _LONGEST_ID:
            message = f'the id "{node.node_id}" is longer than {_LONGEST_ID} characters'
            yield Finding(Code.TASK_ID, node.path, message, "shorten it, or a group's around it", at="key")
