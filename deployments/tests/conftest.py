"""A stack and a config for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass.deployments.testing import Config, Stack
from windlass.warehouse.embedded import EmbeddedPostgres


@pytest.fixture(autouse=True)
def _airflow_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))


@pytest.fixture(scope="module")
def _module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One state folder for a module: what one test breaks, the next one's run has to mend."""
    stack = Stack(tmp_path_factory.mktemp("with space") / "state")
    yield stack
    stack.run("down")
    assert stack.processes() == []
    # As root the data lie outside a folder that the server's account cannot reach.
    EmbeddedPostgres(stack.layout.postgres).destroy()


@pytest.fixture
def stack(_module_stack: Stack) -> Iterator[Stack]:
    """The module's stack, with no command of an earlier test at work."""
    yield _module_stack
    _module_stack.clear()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A folder for the test's own DAG."""
    return Config(tmp_path / "configs")
