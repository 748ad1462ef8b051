"""What one machine alone has, and what would break every user's namespace, does not pass."""

import subprocess
from pathlib import Path

import pytest

from gate.tracked import line_problems, name_problems, tracked

pytestmark = pytest.mark.unit

# In parts, since this file is tracked and checked too.
PERSONAL = ["/ho" + "me/someone/x", "/ro" + "ot/x", "/wo" + "rk/main/x", "/Us" + "ers/someone"]
HOSTS = ["py" + "pi.org", "files.python" + "hosted.org", "registry.npm" + "js.org", "proxy.go" + "lang.org"]


@pytest.mark.parametrize("path", PERSONAL)
@pytest.mark.parametrize("frame", ['"{}"', "={}", "file://{}", "see {}."])
def test_a_path_of_one_machine_is_found(path: str, frame: str) -> None:
    (problem,) = line_problems("a.py", "fine\n" + frame.format(path))
    assert problem.startswith("a.py:2: ")


@pytest.mark.parametrize(
    "line",
    [
        "https://example.org/ho" + "me/page",
        "spark/wo" + "rk/app-1",
        "$HOME/wo" + "rk/x",
        "/ho" + "me/airflow/.local",
        "the /wo" + "rk/ folder",
        "/tmp/x",
    ],
)
def test_paths_that_mean_the_same_everywhere_pass(line: str) -> None:
    assert list(line_problems("a.py", line)) == []


@pytest.mark.parametrize("host", HOSTS)
def test_a_registry_host_stands_in_the_lock_only(host: str) -> None:
    line = f"url = https://{host}/x"
    assert len(list(line_problems("pyproject.toml", line))) == 1
    assert list(line_problems("uv.lock", line)) == []


def test_words_that_only_resemble_hosts_pass() -> None:
    assert list(line_problems("a.md", "PyPI, crates and npm; apache.org and example.org")) == []


@pytest.mark.parametrize("name", ["windlass/__init__.py", "p/src/windlass/operators/__init__.py"])
def test_a_namespace_stays_a_namespace(name: str) -> None:
    assert len(list(name_problems(name, executable=False, shebang=False))) == 1


def test_a_package_in_the_namespace_is_a_package() -> None:
    name = "p/src/windlass/operators/quality/__init__.py"
    assert list(name_problems(name, executable=False, shebang=False)) == []


def test_an_executable_says_what_runs_it() -> None:
    assert list(name_problems("run", executable=True, shebang=True)) == []
    assert len(list(name_problems("run", executable=True, shebang=False))) == 1


def test_only_tracked_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = f"see {PERSONAL[0]}\n"
    for name, content in {"bad name.md": bad, "untracked.md": bad, "binary.bin": f"\0{bad}"}.items():
        (tmp_path / name).write_text(content, "utf-8")
    (tmp_path / "link").symlink_to("nowhere")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "bad name.md", "binary.bin", "link"], check=True)
    (problem,) = tracked(lambda name: Path(name).read_bytes())
    assert problem.startswith("bad name.md:1: ")
