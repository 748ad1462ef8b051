"""A table of mixed types to load files into, and short ways to write and load them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from windlass.warehouse.load.file import FileOptions, FileResult, load_file
from windlass.warehouse.testing.server import WarehouseDatabase


class Loader:
    """Loads files into `staging.item`, written on the way."""

    def __init__(self, connection: psycopg.Connection[Any], folder: Path) -> None:
        self.connection, self.folder = connection, folder

    def write(self, content: str | bytes, name: str = "item.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(
        self, content: str | bytes | Path, name: str = "item.csv", *, mode: str = "append", **options: Any
    ) -> FileResult:
        path = content if isinstance(content, Path) else self.write(content, name)
        return load_file(
            self.connection,
            file=path,
            table="staging.item",
            mode=mode,  # type: ignore[arg-type]
            options=FileOptions(**options),
        )

    def rows(self) -> list[Any]:
        return self.connection.execute("select * from staging.item order by id, name").fetchall()

    def rejects(self) -> list[Any]:
        return self.connection.execute(
            "select line, record, problems from ops.rejected_file_row order by content_sha256, line"
        ).fetchall()


@pytest.fixture
def loader(warehouse: WarehouseDatabase, tmp_path: Path) -> Iterator[Loader]:
    with warehouse.connect(autocommit=True) as opened:
        opened.execute(
            "create table staging.item (id int not null check (id > 0), name text, n numeric(6,2))"
        )
        yield Loader(opened, tmp_path)


MakeParquet = Callable[..., Path]


@pytest.fixture
def parquet(tmp_path: Path) -> MakeParquet:
    """Write a Parquet file of columns."""

    def make(**columns: Any) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), tmp_path / "item.parquet", row_group_size=1000)
        return tmp_path / "item.parquet"

    return make
