"""Are things named so that they are found again: the DAG as its file, the ids by the convention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass.dagfactory.diagnostics import Code, Finding

__all__ = ["check_names"]

_DAG_ID = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+_v[0-9]+\Z")
_TASK_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,199}\Z")


def check_names(data: Mapping[str, Any], expected: str) -> Iterator[Finding]:
    """Check the DAG id against the convention and the file's name, and the task ids.

    Args:
        data: The config.
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
    tasks = data.get("tasks")
    for task_id in tasks if isinstance(tasks, dict) else ():
        if not _TASK_ID.match(task_id):
            yield Finding(Code.TASK_ID, ("tasks", task_id), f'"{task_id}" cannot be a task id', at="key")
