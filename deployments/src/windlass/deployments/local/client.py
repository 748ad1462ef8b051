"""The command's end of the line to the host that holds Airflow's services."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import psutil

from windlass.deployments.errors import ServiceFailedError
from windlass.deployments.local.airflow_config import AirflowEndpoints, environment
from windlass.deployments.local.layout import Layout, write_private
from windlass.deployments.local.messages import Boot, Broken, Event, Keep, Run, Stop, events
from windlass.deployments.services.processes import MARK, end, marked

__all__ = ["HostClient", "kept_host", "sweep"]


class HostClient:
    """Starts a host and speaks with it; leaving the context ends it, unless it was told to stay.

    Args:
        layout: The stack's state folder.
        timeout: Seconds that the services may take to answer.
    """

    def __init__(self, layout: Layout, *, timeout: float) -> None:
        self._layout = layout
        self._timeout = timeout
        self._kept = False
        self._stopped = False
        self._unread = b""
        for log in layout.logs.glob("*.log"):
            log.replace(log.with_suffix(".log.1"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "windlass.deployments.local.host", str(layout.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(layout, dict(os.environ), MARK),
            cwd=layout.root,
            # Out of the terminal's process group: Ctrl-C goes to the command, which ends all in order.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept and error is None:
            return
        self.stop()

    def boot(self, *, ui: bool, warehouse_dsn: str) -> None:
        """Have the services started; returns at once."""
        self._send(Boot(apps="all" if ui else "execution", warehouse_dsn=warehouse_dsn))

    def run(self, dag_id: str, *, timeout: float) -> None:
        """Have the DAG run once; returns at once."""
        self._send(Run(dag_id=dag_id, timeout=timeout))

    def keep(self, endpoints: AirflowEndpoints) -> None:
        """Let the services live on when this process ends."""
        self._send(Keep())
        self._kept = True
        record = {
            "pid": self._process.pid,
            "created": psutil.Process(self._process.pid).create_time(),
            "url": endpoints.api_url,
        }
        write_private(self._layout.host_record, json.dumps(record))

    def events(self, *, silence: float | None = None) -> Iterator[Event]:
        """What the host reports, as it comes.

        Args:
            silence: Seconds that it may report nothing; by default the time that a start may take.

        Raises:
            ServiceFailedError: The host ended, reports that it cannot go on, or is silent for too long.
        """
        while True:
            event = self._next(self._timeout if silence is None else silence)
            if isinstance(event, Broken):
                log = self._layout.logs / f"{event.service}.log"
                raise ServiceFailedError(event.service, event.reason, log)
            yield event

    def stop(self) -> None:
        """End the host with all it holds; once is enough."""
        if self._stopped:
            return
        self._stopped = True
        if self._process.poll() is None:
            self._send(Stop())
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)
        sweep(self._layout)

    def _send(self, message: Boot | Run | Keep | Stop) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(message.line())
            self._process.stdin.flush()
        except BrokenPipeError:
            if not isinstance(message, Stop):
                raise self._gone() from None

    def _next(self, silence: float) -> Event:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + silence
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ServiceFailedError(
                    "Airflow", f"no answer for {silence:g} s", self._layout.logs / "host.log"
                )
            chunk = os.read(descriptor, 65536)
            if not chunk:
                raise self._gone()
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return events.validate_json(line)

    def _gone(self) -> ServiceFailedError:
        code, log = self._process.wait(), self._layout.logs / "host.log"
        if code < 0:
            return ServiceFailedError("Airflow's host process", f"was killed by signal {-code}", log)
        last = [
            line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
        why = f": {last[-1].strip()[:300]}" if last else ""
        return ServiceFailedError("Airflow's host process", f"ended with code {code}{why}", log)


def kept_host(layout: Layout) -> psutil.Process | None:
    """The host that an earlier command left running, if it still lives."""
    try:
        record = json.loads(layout.host_record.read_text(encoding="utf-8"))
        process = psutil.Process(record["pid"])
        return process if process.create_time() == record["created"] else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def sweep(layout: Layout) -> int:
    """End whatever is left of this stack's Airflow processes, from any earlier command.

    Returns:
        How many processes there were.
    """
    # The host first: it ends its services in order. What is still there then has nobody to end it.
    host = kept_host(layout)
    count = 0
    if host is not None:
        end([host], grace=15)
        count = 1
    layout.host_record.unlink(missing_ok=True)
    left = marked(layout.stack_id())
    end(left)
    return count + len(left)


def _close(pipe: object) -> None:
    try:
        pipe.close()  # type: ignore[attr-defined]
    except BrokenPipeError:
        return
