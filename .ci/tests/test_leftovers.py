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


def start(**variables: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(WAIT, stdin=subprocess.PIPE, env={**os.environ, **variables})


@pytest.mark.parametrize(
    "variable", [("CI_WORK", "{}"), ("TMPDIR", "{}/tmp"), ("PATH", "/bin:{}/env/bin:/usr/bin")]
)
def test_what_has_the_folder_in_a_variable_is_ended_and_fails_the_stage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: tuple[str, str],
) -> None:
    name, value = variable
    other_folder = {"CI_WORK": f"{tmp_path}-other", "TMPDIR": f"/x{tmp_path}/tmp"}
    monkeypatch.setattr(leftovers, "PATIENCE", 0.1)
    monkeypatch.setattr("sys.argv", ["leftovers", str(tmp_path)])
    with start(**{name: value.format(tmp_path)}) as leaked, start(**other_folder) as other:
        with pytest.raises(SystemExit) as failure:
            leftovers.main()
        assert failure.value.code
        assert leaked.wait(10) == -signal.SIGKILL
        assert str(leaked.pid) in capsys.readouterr().err
        assert other.poll() is None
        other.communicate(b"")


def test_what_is_ending_is_waited_for(tmp_path: Path) -> None:
    with start(CI_WORK=str(tmp_path)) as ending:
        assert ending.pid in leftovers.running(str(tmp_path))
        assert ending.stdin is not None
        ending.stdin.close()
        assert leftovers.settle(str(tmp_path), 10) == {}
