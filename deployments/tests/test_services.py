"""Ports, the state folder's lock, and finding and ending a stack's processes."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from windlass.deployments import errors
from windlass.deployments.services.lock import exclusive
from windlass.deployments.services.ports import choose_port
from windlass.deployments.services.processes import MARK, end, marked
from windlass.deployments.testing import wait_until

pytestmark = pytest.mark.unit


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_asked_for_by_number_is_an_error_that_names_it(taken_port: int) -> None:
    with pytest.raises(errors.PortTakenError, match=f"{taken_port}.*\n.*--api-port"):
        choose_port(taken_port, 8080, option="--api-port")


def test_a_taken_preferred_port_gives_way_to_a_free_one(taken_port: int) -> None:
    chosen = choose_port(None, taken_port, option="--api-port")
    assert chosen != taken_port
    assert choose_port(chosen, 0, option="--api-port") == chosen


def test_a_free_port_is_taken_as_asked(taken_port: int) -> None:
    free = choose_port(None, taken_port, option="--api-port")
    assert choose_port(free, taken_port, option="--api-port") == free
    assert choose_port(None, free, option="--api-port") == free


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(errors.MisuseError, match="WINDLASS_HOST"):
        choose_port(None, 0, option="--api-port", host=host)


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        script = (
            "import sys; from pathlib import Path; from windlass.deployments.services.lock import exclusive\n"
            "with exclusive(Path(sys.argv[1])): pass"
        )
        other = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert other.returncode != 0
    assert f"in use by process {os.getpid()}" in other.stderr


def test_the_lock_is_free_again_after_its_holder_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, signal; from pathlib import Path\n"
        "from windlass.deployments.services.lock import exclusive\n"
        "with exclusive(Path(sys.argv[1])): print('held', flush=True); signal.pause()"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with exclusive(tmp_path):
        pass


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _start(
    sleepers: list[subprocess.Popen[bytes]], stack: str, *, stubborn: bool = False
) -> subprocess.Popen[bytes]:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN); " if stubborn else ""
    script = (
        f"import signal, os; {ignore}print('up', flush=True); os.fork() and signal.pause(); signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, MARK: stack},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    sleepers.append(process)
    return process


def test_processes_of_a_stack_are_found_with_their_forks_and_no_others(
    sleepers: list[subprocess.Popen[bytes]],
) -> None:
    mine, other = f"mine-{os.getpid()}", f"other-{os.getpid()}"
    process = _start(sleepers, mine)
    bystander = _start(sleepers, other)
    wait_until(lambda: len(marked(mine)) == 2)
    found = marked(mine)
    assert process.pid in {one.pid for one in found}
    assert bystander.pid not in {one.pid for one in found}
    assert end(found) == 0
    assert marked(mine) == []
    assert marked(other) != []
    end(marked(other))


def test_a_process_that_ignores_the_request_is_killed(sleepers: list[subprocess.Popen[bytes]]) -> None:
    stack = f"stubborn-{os.getpid()}"
    process = _start(sleepers, stack, stubborn=True)
    parent = psutil.Process(process.pid)
    wait_until(lambda: len(parent.children()) == 1)
    family = [parent, *parent.children()]
    assert end(family, grace=0.2) == 2
    assert marked(stack) == []


def test_ending_what_has_already_ended_is_no_error() -> None:
    gone = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    process = psutil.Process(gone.pid)
    gone.communicate()
    assert end([process]) == 0


@pytest.mark.parametrize(
    "error",
    [
        errors.MisuseError("what", "do"),
        errors.StateInUseError(Path("state"), 7),
        errors.PortTakenError(80, "--api-port"),
        errors.ConfigRejectedError("line 1"),
        errors.ServiceFailedError("scheduler", "died", Path("log")),
    ],
)
def test_errors_survive_pickling_and_say_what_to_do(error: errors.DeploymentError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert "what to do: " in str(error)
    assert again.advice
