"""What several test modules need: folders whose servers are surely stopped, processes that surely end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres

StartPython = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder that an unprivileged account can reach, with a short name; a server left in it is stopped."""
    top = Path(tempfile.mkdtemp(prefix="wt", dir="/tmp"))
    top.chmod(0o711)
    folder = top / "pg"
    yield folder
    EmbeddedPostgres(folder, system_dir=top / "system").destroy()
    shutil.rmtree(top)


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """Start Python code in processes of its own; they are ended after the test."""
    started = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def limited_role(warehouse_server) -> Iterator[Callable[[str], str]]:
    """Rewrite a DSN for a role that has no privileges; the role is dropped afterwards."""
    role, password = f"limited_{uuid.uuid4().hex[:12]}", "limited"
    with connect(warehouse_server.dsn(), autocommit=True) as connection:
        connection.execute(f"create role {role} login password '{password}'")
        yield lambda dsn: make_conninfo(dsn, user=role, password=password)
        connection.execute(f"drop role {role}")


@pytest.fixture
def empty(warehouse_server) -> Iterator:
    """A database that nothing was applied to."""
    with warehouse_server.database() as database:
        yield database


@pytest.fixture
def make_folder(tmp_path) -> Callable[..., Path]:
    """Write a folder of migrations: names without suffix, `v` before them, and their SQL."""

    def make(name: str = "sales", /, **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for stem, text in files.items():
            (folder / f"{stem.removeprefix('v')}.sql").write_text(text)
        return folder

    return make
