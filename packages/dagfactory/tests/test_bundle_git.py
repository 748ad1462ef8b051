"""Configs in a Git repository: a run begun at one commit goes on at that commit, whatever is pushed since."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.bundles.base import BaseDagBundle
from windlass_test_stand import Stand, airflow, until

from windlass.dagfactory.bundle import ConfigDagBundle
from windlass.dagfactory.git_bundle import GitConfigDagBundle

pytestmark = [pytest.mark.integration, pytest.mark.slow]
WriteConfig = Callable[..., Path]

BASH = "airflow.providers.standard.operators.bash.BashOperator"
NAME = "sales_daily_load_v1"


class Repository:
    """A repository with a folder of configs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configs = folder / "pipelines"
        self.configs.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, text: str, script: str) -> str:
        """Commit a config whose first task says a text, and a script beside it."""
        tasks = {
            "first": {"operator": BASH, "args": {"bash_command": f"echo {text}"}},
            "later": {"operator": BASH, "args": {"bash_command": "later.sh"}, "depends_on": ["first"]},
        }
        config = {"dag_id": NAME, "start_date": "2026-01-01", "description": text, "tasks": tasks}
        folder = self.configs / NAME
        folder.mkdir(exist_ok=True)
        (folder / "dag.json").write_text(json.dumps(config))
        (folder / "later.sh").write_text(script)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def stand(tmp_path: Path, database: Path, repository: Repository) -> Stand:
    stand = Stand(tmp_path, database)
    kwargs: dict[str, Any] = {
        "repo_url": str(repository.folder),
        "tracking_ref": "main",
        "subdir": "pipelines",
    }
    classpath = "windlass.dagfactory.git_bundle.GitConfigDagBundle"
    kwargs["refresh_interval"] = 1
    stand.use_bundles([{"name": "examples", "classpath": classpath, "kwargs": kwargs}])
    return stand


# What a worker does when a task starts, as in airflow.sdk.execution_time.task_runner.parse.
TASK_START = """
import json, os, shutil, sys
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag
from windlass.dagfactory import StubsError

dag_id, *steps = sys.argv[1:]
os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id
for verb, argument in map(json.loads, steps):
    if verb == "remove":
        shutil.rmtree(argument)
        continue
    try:
        bundle = DagBundlesManager().get_bundle(name="examples", version=argument)
        bundle.initialize()
    except StubsError as error:
        print("refused", error)
        continue
    assert bundle.is_initialized
    path = str(bundle.path / dag_id / "dag.json.py")
    bag = BundleDagBag(dag_folder=path, safe_mode=False, load_op_links=False, bundle_path=bundle.path,
                       bundle_name="examples")
    later = bag.dags[dag_id].task_dict["later"]
    later.resolve_template_files()
    print("parsed", bag.dags[dag_id].description, later.bash_command.strip())
"""


def task_start(stand: Stand, *steps: tuple[str, str | None], **environment: str) -> list[str]:
    done = stand.python(TASK_START, NAME, *map(json.dumps, steps), **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(("parsed", "refused"))]


def test_a_run_goes_on_with_the_commit_it_began_with(
    stand: Stand, repository: Repository, tmp_path: Path
) -> None:
    old = repository.commit("one", "echo one\n")
    with stand.processor():
        until(lambda: stand.live() == {NAME}, "the first commit")
        airflow("dags", "trigger", NAME, environment=stand.environment)
        assert stand.query("select bundle_version from dag_run") == [(old,)]
        new = repository.commit("two", "echo two\n")
        described = "select description from dag"
        until(lambda: stand.query(described) == [("two",)], "the second commit")
    versions = "select version_number, bundle_version from dag_version order by 1"
    assert stand.query(versions) == [(1, old), (2, new)]
    assert stand.query("select bundle_version from dag_run") == [(old,)]
    expected = ["parsed one echo one", "parsed two echo two"]
    assert task_start(stand, ("start", old), ("start", new)) == expected
    machine = tmp_path / "another machine"
    elsewhere = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(machine)}
    steps = [("start", old), ("remove", str(repository.folder)), ("remove", f"{machine}/examples/bare")]
    # A commit that is there needs neither its repository nor any other folder than its own.
    assert task_start(stand, *steps, ("start", old), **elsewhere) == expected[:1] * 2
    [version] = (machine / "examples" / "versions").iterdir()
    assert version.name == old
    assert {path.name for path in version.iterdir()} == {"repository", "stubs"}


def test_a_wrong_folder_is_told_of(stand: Stand, repository: Repository) -> None:
    version = repository.commit("one", "echo one\n")
    bundles = json.loads(stand.environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    bundles[0]["kwargs"]["subdir"] = "pipeline"
    stand.use_bundles(bundles)
    told = task_start(stand, ("start", version), ("start", None))
    for line, where in zip(told, (f"commit {version}", "'main'"), strict=True):
        assert f"finds no such folder at {where}; check its subdir" in line


def test_a_dag_id_that_another_bundle_claims_is_told_of_but_not_in_a_run_that_has_begun(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = repository.commit("one", "echo one\n")
    git = {"repo_url": str(repository.folder), "tracking_ref": "main", "subdir": "pipelines"}
    folder = {"configs": str(repository.configs)}
    listed = [
        {"name": "git", "classpath": f"{GitConfigDagBundle.__module__}.GitConfigDagBundle", "kwargs": git},
        {"name": "folder", "classpath": f"{ConfigDagBundle.__module__}.ConfigDagBundle", "kwargs": folder},
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "storage"))

    def stub(bundle: BaseDagBundle) -> str:
        bundle.initialize()
        return (bundle.path / NAME / "dag.json.py").read_text()

    for bundles, git_is_late in ((listed, False), (listed[::-1], True)):
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
        for _ in bundles:  # whichever the dag processor brings up first
            late = {
                "git": "also_in" in stub(GitConfigDagBundle(name="git", **git)),
                "folder": "also_in" in stub(ConfigDagBundle(name="folder", **folder)),
            }
        assert late == {"git": git_is_late, "folder": not git_is_late}
    assert "also_in" not in stub(GitConfigDagBundle(name="git", version=version, **git))


def test_without_the_provider_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['airflow.providers.git.bundles'] = None\n"
        "import windlass.dagfactory.git_bundle"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False
    )
    assert "pip install 'windlass-dagfactory[git]'" in done.stderr
