"""The helpers that tests of the stack use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from windlass.deployments.settings import project_root
from windlass.deployments.testing import Stack, wait_until

pytestmark = pytest.mark.unit


def test_waiting_in_vain_ends() -> None:
    with pytest.raises(TimeoutError, match=r"0\.05 s in vain"):
        wait_until(lambda: False, seconds=0.05)


def test_a_command_that_ended_before_it_made_its_file_is_quoted(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "state")
    process = stack.start("down", "--no-such-option")
    with pytest.raises(AssertionError, match="no-such-option"):
        stack.await_file(tmp_path / "never", process)
    assert stack.started == []


def test_commands_left_at_work_are_ended(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "state")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ended = subprocess.Popen([sys.executable, "-c", ""], **pipes)
    ended.wait()
    working = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], **pipes)
    stack.started += [ended, working]
    stack.clear()
    assert working.poll() is not None
    assert stack.started == []


def test_outside_of_a_checkout_the_working_folder_is_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("windlass.deployments.settings.__file__", str(tmp_path / "settings.py"))
    assert project_root(tmp_path) == tmp_path
