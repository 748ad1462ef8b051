"""Load the seed: every table and the manifest, in one transaction.

While the server stores a chunk the next one is made: the kernel's buffer keeps the server busy for as long. A
thread that makes chunks ahead was measured and cost more than it gained (median of 14 alternating loads over
TCP: 1.07 to 1.16 times the bare loop's time with it, 0.99 to 1.13 without).
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.pq import TransactionStatus

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.connection import translated_privileges
from windlass.warehouse.errors import SeedError
from windlass.warehouse.seed.binary import SIGNATURE, TRAILER
from windlass.warehouse.seed.draws import SEED_LIMIT
from windlass.warehouse.seed.manifest import Anomaly
from windlass.warehouse.seed.manifest_file import ManifestFile
from windlass.warehouse.seed.problems import PROBLEMS
from windlass.warehouse.seed.sales import Volume
from windlass.warehouse.seed.tables import TABLES, Chunk, TableRows, table_anomalies, table_rows

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

__all__ = ["SCALE_LIMIT", "Progress", "SeedReport", "seed"]

SCALE_LIMIT = 10_000
"""The largest scale: a thousand million sales."""

_LOCK_TIMEOUT = "10s"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a table is.

    Attributes:
        table: `schema.name`.
        rows: Rows sent to the server. Further copies of a sale do not count, here and in `total`.
        total: Rows of the table.
    """

    table: str
    rows: int
    total: int


@dataclass(frozen=True, slots=True)
class SeedReport:
    """What was loaded.

    Attributes:
        seed: The seed.
        scale: The scale.
        rows: Rows by table.
        anomalies: Lines of the manifest by kind.
        manifest: Where the manifest was written, if it was.
        seconds: How long it took.
    """

    seed: int
    scale: float
    rows: dict[str, int]
    anomalies: dict[str, int]
    manifest: str | None
    seconds: float


def seed(
    connection: Connection[Any],
    *,
    seed: int = 42,
    scale: float = 1.0,
    manifest: Path | str | None = None,
    replace: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> SeedReport:
    """Fill `source` and `staging` with generated rows, the intentional problems among them.

    The same seed makes the same rows everywhere, and a larger scale begins with the rows of a smaller one.
    Everything is one transaction: when it fails or the process ends, there is no row and no manifest.

    Args:
        connection: The migrated warehouse, with no transaction open.
        seed: At least 0.
        scale: 1 for 100,000 sales of the stores and 10,000 of the web shop; fractions will do.
        manifest: Where to write the ground truth, JSON lines.
        replace: Whether tables that hold rows are emptied; otherwise they are refused.
        progress: Called after each chunk.

    Returns:
        What was loaded.

    Raises:
        SeedError: A wrong seed or scale, a warehouse not migrated or not empty, or the server failed.
        PermissionDeniedError: The role may not write to the tables.
    """
    started = time.monotonic()
    _validate(seed, scale)
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise SeedError(
            "The connection has a transaction open; the seed needs one of its own.",
            advice="Commit or roll back first.",
        )
    volume = Volume.of(scale)
    path = None if manifest is None else Path(manifest)
    with ManifestFile(path) as file, _explained():
        with connection.transaction():
            loading = _Loading(connection.cursor(), file, progress)
            _prepare(loading.cursor, replace=replace)
            loading.note(table_anomalies(seed, volume))
            for rows, group in groupby(_chunks(seed, volume), key=itemgetter(0)):
                loading.copy(rows, (chunk for _, chunk in group))
            file.prepare()
        file.publish()
    return SeedReport(
        seed=seed,
        scale=scale,
        rows=loading.rows,
        anomalies={str(kind): loading.anomalies[kind] for kind in AnomalyKind if loading.anomalies[kind]},
        manifest=None if path is None else str(path),
        seconds=time.monotonic() - started,
    )


def _validate(seed: int, scale: float) -> None:
    if not 0 <= seed < SEED_LIMIT:
        raise SeedError(
            f"The seed {seed} is out of range.", advice=f"Give a number from 0 to {SEED_LIMIT - 1}."
        )
    if not (math.isfinite(scale) and 0 < scale <= SCALE_LIMIT):
        raise SeedError(
            f"The scale {scale} is out of range.",
            advice=f"Give a number above 0 and at most {SCALE_LIMIT}; 1 is 100,000 sales, 0.01 is 1,000.",
        )


def _chunks(seed: int, volume: Volume) -> Iterator[tuple[TableRows, Chunk]]:
    for rows in table_rows(seed, volume):
        for chunk in rows.chunks():
            yield rows, chunk


class _Loading:
    """What has been loaded so far."""

    def __init__(
        self, cursor: Cursor[Any], file: ManifestFile, progress: Callable[[Progress], None] | None
    ) -> None:
        self.cursor = cursor
        self.rows: dict[str, int] = {}
        self.anomalies: Counter[AnomalyKind] = Counter()
        self._file = file
        self._progress = progress

    def note(self, anomalies: Iterable[Anomaly]) -> None:
        for anomaly in anomalies:
            self.anomalies[AnomalyKind(anomaly.kind)] += 1
            self._file.write(anomaly.to_line().encode())

    def copy(self, rows: TableRows, chunks: Iterable[Chunk]) -> None:
        """Copy the rows of a table.

        Their visibility is settled at once (FREEZE): the table was truncated in this transaction, and readers
        need not do it row by row later.
        """
        statement = sql.SQL("copy {} ({}) from stdin (format binary, freeze)").format(
            sql.Identifier(*rows.table.split(".")), sql.SQL(", ").join(map(sql.Identifier, rows.columns))
        )
        loaded = copies = 0
        with self.cursor.copy(statement) as copy:
            copy.write(SIGNATURE)
            for chunk in chunks:
                copy.write(chunk.data.data)
                self._file.write(chunk.lines)
                for problem, count in zip(PROBLEMS, chunk.problems[1:], strict=False):
                    self.anomalies[problem.kind] += count
                    copies += count if problem.copies else 0
                loaded += chunk.rows
                if self._progress is not None:
                    self._progress(Progress(rows.table, loaded - copies, rows.units))
            copy.write(TRAILER)
        self.rows[rows.table] = loaded


def _prepare(cursor: Cursor[Any], *, replace: bool) -> None:
    """Lock and empty the tables, or say why not."""
    cursor.execute(
        "select name from unnest(%s::text[]) as name where to_regclass(name) is null", [list(TABLES)]
    )
    if absent := [name for (name,) in cursor]:
        raise SeedError(
            f"The warehouse is not migrated: {', '.join(absent)} do not exist.",
            advice="Run first, with the same DSN: windlass-warehouse migrate",
        )
    tables = sql.SQL(", ").join(sql.Identifier(*name.split(".")) for name in TABLES)
    cursor.execute(sql.SQL("set local lock_timeout = {}").format(_LOCK_TIMEOUT))
    cursor.execute(sql.SQL("lock table {} in access exclusive mode").format(tables))
    full = [name for name in TABLES if _has_rows(cursor, name)]
    if full and not replace:
        raise SeedError(
            f"The warehouse is not empty: {', '.join(full)} hold rows. Nothing was changed.",
            advice="Give --replace to empty these tables and load them again, or name another database.",
        )
    cursor.execute(sql.SQL("truncate {}").format(tables))
    # What files brought into them is gone.
    cursor.execute("delete from ops.loaded_file where target_table = any (%s)", [list(TABLES)])


def _has_rows(cursor: Cursor[Any], table: str) -> bool:
    row = cursor.execute(
        sql.SQL("select exists (select from {})").format(sql.Identifier(*table.split(".")))
    ).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the server's refusals into errors that say what to do."""
    try:
        with translated_privileges("seeding"):
            yield
    except pg_errors.LockNotAvailable as error:
        raise SeedError(
            f"Someone else has been using the tables of the seed for {_LOCK_TIMEOUT}. Nothing was loaded.",
            advice="Wait until other seeds and queries on source and staging have ended, then try again.",
        ) from error
    except psycopg.Error as error:
        reason = str(error).strip().split("\n")[0]
        raise SeedError(
            f"The server failed while seeding: {reason}. The load was rolled back.",
            advice="See the server's log, then run the same command again.",
        ) from error
