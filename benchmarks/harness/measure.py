"""Measure what something costs, in this process or in one of its own, our side and the peer's in turn."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

__all__ = ["Cost", "ProcessFailedError", "alternate", "measured", "run_process"]


Ours = TypeVar("Ours")
Peer = TypeVar("Peer")

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost.

    Attributes:
        wall: Seconds on the clock.
        cpu: Seconds of processor time, the process's own and its ended children's, in user and kernel mode.
        peak_rss: Most memory a process of its own held, in bytes; 0 when it ran in this one.
    """

    wall: float
    cpu: float
    peak_rss: int = 0


class ProcessFailedError(Exception):
    """A process that was to be measured failed."""

    def __init__(self, arguments: Sequence[str], code: int) -> None:
        super().__init__(f"{' '.join(arguments)} ended with exit code {code}; its output stands above.")


def measured(work: Callable[[], object]) -> Cost:
    """Measure a call in this process."""
    cpu, wall = _cpu(), time.perf_counter()
    work()
    return Cost(wall=time.perf_counter() - wall, cpu=_cpu() - cpu)


def _cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run_process(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
) -> Cost:
    """Measure a process from its start to its end.

    Args:
        arguments: Program and arguments.
        env: Variables to set beside this process's own.
        stdout: Where its output goes; its errors go where ours go.

    Raises:
        ProcessFailedError: It ended with another exit code than 0.
    """
    # Start-up without cached bytecode is not what users see.
    variables = {**os.environ, **(env or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.NamedTemporaryFile() as report:
        launch = [sys.executable, "-S", "-E", str(_LAUNCHER), report.name, *arguments]
        code = subprocess.run(launch, env=variables, stdout=stdout, check=False).returncode
        if code:
            raise ProcessFailedError(arguments, code)
        return Cost(**json.load(report))


def alternate(
    ours: Callable[[], Ours], peer: Callable[[], Peer], *, rounds: int, warm_up: bool = True
) -> tuple[list[Ours], list[Peer]]:
    """Run both sides in turn, so that what else the machine does befalls both; the order changes every round.

    Args:
        ours: Our side.
        peer: The peer's.
        rounds: How often each is measured.
        warm_up: Whether each runs once before, unmeasured.

    Returns:
        What each run of ours and of the peer returned.
    """
    if warm_up:
        ours()
        peer()
    of_ours: list[Ours] = []
    of_peer: list[Peer] = []
    for number in range(rounds):
        if number % 2 == 0:
            of_ours.append(ours())
            of_peer.append(peer())
        else:
            of_peer.append(peer())
            of_ours.append(ours())
    return of_ours, of_peer
