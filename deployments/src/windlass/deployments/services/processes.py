"""Finds and ends every process of one deployment, whoever is left of it.

Airflow's executor workers and tasks change their process group, and children of a killed parent are handed to
init: neither group nor parentage finds them again. The environment a process was started with does, so every
deployment marks its children there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import psutil

__all__ = ["MARK", "end", "marked"]

MARK = "WINDLASS_STACK"
"""Environment variable that holds the deployment's id in each of its processes."""


def marked(stack_id: str) -> list[psutil.Process]:
    """Every live process that was started for the deployment `stack_id`, other than the caller."""
    return [process for process in psutil.process_iter() if _is_marked(process, stack_id)]


def _is_marked(process: psutil.Process, stack_id: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        if process.environ().get(MARK) != stack_id:
            return False
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, OSError):  # gone meanwhile, or another user's
        return False


def end(processes: Iterable[psutil.Process], *, grace: float = 5.0) -> int:
    """Ask `processes` to end, and kill those that still live after `grace` seconds.

    Returns:
        How many had to be killed.
    """
    asked = []
    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
        asked.append(process)
    _, stubborn = psutil.wait_procs(asked, timeout=grace)
    for process in stubborn:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(stubborn, timeout=grace)
    return len(stubborn)
