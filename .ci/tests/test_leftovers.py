"""A process that outlives its stage is found and ended; others are let be."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gate import leftovers

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="/proc is Linux's"),
]

WAIT = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def start(mark: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(WAIT, stdin=subprocess.PIPE, env={**os.environ, leftovers.MARK: mark})


def test_what_carries_the_mark_is_ended_and_fails_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE", 0.1)
    monkeypatch.setattr("sys.argv", ["leftovers", str(tmp_path)])
    with start(str(tmp_path)) as leaked, start(f"{tmp_path}/other") as other:
        with pytest.raises(SystemExit) as failure:
            leftovers.main()
        assert failure.value.code
        assert leaked.wait(10) == -signal.SIGKILL
        assert str(leaked.pid) in capsys.readouterr().err
        assert other.poll() is None
        other.communicate(b"")


def test_what_is_ending_is_waited_for(tmp_path: Path) -> None:
    with start(str(tmp_path)) as ending:
        assert ending.pid in leftovers.running(str(tmp_path))
        assert ending.stdin is not None
        ending.stdin.close()
        assert leftovers.settle(str(tmp_path), 10) == {}
