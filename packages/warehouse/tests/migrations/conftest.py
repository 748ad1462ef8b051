"""What the tests of migrations share: an empty database, and folders of a team's own migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MakeFolder = Callable[..., Path]


@pytest.fixture
def empty(warehouse_server) -> Iterator:
    """A database that nothing was applied to."""
    with warehouse_server.database() as database:
        yield database


@pytest.fixture
def make_folder(tmp_path) -> MakeFolder:
    """Write a folder of migrations: names without suffix, and their SQL."""

    def make(name: str = "sales", /, **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for stem, text in files.items():
            (folder / f"{stem.removeprefix('v')}.sql").write_text(text)
        return folder

    return make
