"""Prepares the local stack's databases: created, migrated, seeded once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from windlass.deployments.errors import MisuseError
from windlass.deployments.local.layout import Layout, write_private
from windlass.deployments.local.progress import Progress
from windlass.deployments.settings import Settings
from windlass.warehouse.connection import connect
from windlass.warehouse.migrations import migrate
from windlass.warehouse.seed import seed
from windlass.warehouse.seed.manifest import ManifestComparison, compare, found_anomalies, read

__all__ = ["check_seed", "compare_with_manifest", "prepare_warehouse"]


def check_seed(layout: Layout, settings: Settings) -> bool:
    """Whether the warehouse is seeded already.

    Raises:
        MisuseError: It holds the data of another seed or scale.
    """
    record = layout.seeded
    if not record.exists():
        return False
    have, wanted = json.loads(record.read_text(encoding="utf-8")), _wanted(settings)
    if have != wanted:
        raise MisuseError(
            f"The warehouse in {layout.root} was seeded with {_describe(have)}, not {_describe(wanted)}.",
            "Ask for the same again, or use a new folder with --state-dir.",
        )
    return True


def prepare_warehouse(dsn: str, layout: Layout, settings: Settings, progress: Progress) -> None:
    """Migrate the warehouse, and seed it if no earlier run has."""
    with progress.step("Warehouse migrated"):
        migrate(dsn)
    if check_seed(layout, settings):
        return
    began = time.monotonic()
    with progress.console.status("Seeding") as status, connect(dsn) as connection:
        report = seed(
            connection,
            seed=settings.seed,
            scale=settings.scale,
            manifest=layout.manifest,
            # What a run committed that was killed before it could say so below is replaced.
            replace=True,
            progress=lambda part: status.update(f"Seeding {part.table}: {part.rows:,}"),
        )
    write_private(layout.seeded, json.dumps(_wanted(settings)))
    progress.done(f"Warehouse seeded: {sum(report.rows.values()):,} rows", time.monotonic() - began)


def compare_with_manifest(dsn: str, layout: Layout, *, dag_id: str) -> ManifestComparison:
    """Hold what `dag_id` found in the seeded tables against what the seed had injected.

    What users land in other tables has no ground truth.
    """
    injected = list(read(layout.manifest))
    seeded = {anomaly.table for anomaly in injected}
    with connect(dsn) as connection:
        found = [one for one in found_anomalies(connection, dag_id=dag_id) if one.table in seeded]
    return compare(injected, found)


def _wanted(settings: Settings) -> dict[str, object]:
    return {"seed": settings.seed, "scale": settings.scale}


def _describe(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
