"""Keep the ground truth, which rows and objects the seed made bad, and compare it with what was found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.errors import SeedError

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["Anomaly", "KindCount", "ManifestComparison", "compare", "found_anomalies", "read"]

_KEYS = ["table", "key", "column", "kind"]

_FOUND = """
with latest as (
    select distinct on (dag_id, task_id) dag_id, task_id, run_id, generation
    from ops.quality_check_result
    where run_id = coalesce(%(run_id)s, run_id) and dag_id = coalesce(%(dag_id)s, dag_id)
    order by dag_id, task_id, checked_at desc, result_id desc
)
select table_name, coalesce(object_key, ''), coalesce(column_name, ''), check_kind
from ops.quality_check_result
join latest using (dag_id, task_id, run_id, generation)
where status = 'failed'
union all
select source_table, coalesce(row_key, ''), problem ->> 'column', problem ->> 'kind'
from ops.rejected_row cross join jsonb_array_elements(problems) as problem
where (%(run_id)s::text is null or run_id = %(run_id)s) and (%(dag_id)s::text is null or dag_id = %(dag_id)s)
"""


@dataclass(frozen=True, slots=True, order=True)
class Anomaly:
    """One offending row or object.

    Attributes:
        table: Where it is, `schema.name`.
        key: Which row or object: a sale's number, a day, a store, a kind of drift.
        column: The offending column, or several with commas between.
        kind: What is wrong with it, the value of an `AnomalyKind` when the seed made it.
    """

    table: str
    key: str
    column: str
    kind: str

    def to_line(self) -> str:
        """Write the anomaly as the manifest's line, with its end."""
        values = (self.table, self.key, self.column, str(self.kind))
        return json.dumps(dict(zip(_KEYS, values, strict=True))) + "\n"


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many anomalies of a kind there are on each side; copies count as often as they occur."""

    injected: int
    found: int
    missed: int
    false_positives: int


@dataclass(frozen=True, slots=True)
class ManifestComparison:
    """What was injected beside what was found.

    Attributes:
        missed: Injected and not found, with how often.
        false_positives: Found and not injected, with how often.
        by_kind: Numbers for every kind that is on either side, in the order of `AnomalyKind`.
        total: Numbers of all kinds together.
    """

    missed: Mapping[Anomaly, int]
    false_positives: Mapping[Anomaly, int]
    by_kind: Mapping[str, KindCount]
    total: KindCount

    @property
    def exact(self) -> bool:
        """Whether everything that was injected was found, and nothing else."""
        return not self.missed and not self.false_positives


def read(path: Path | str) -> Iterator[Anomaly]:
    """Read a manifest line by line.

    Raises:
        SeedError: The file cannot be read, or a line is no anomaly; says which.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield _parsed(line, where=f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise SeedError(
            f"The manifest {path} cannot be read: {error}.",
            advice="Write one with: windlass-warehouse seed --manifest FILE",
        ) from error


def _parsed(line: str, *, where: str) -> Anomaly:
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict) or sorted(value) != sorted(_KEYS):
        raise SeedError(
            f"{where}: not an anomaly; expected a JSON object with the keys {', '.join(_KEYS)}.",
            advice="The file is damaged or no manifest; write it again with: windlass-warehouse seed",
        )
    return Anomaly(**{key: str(value[key]) for key in _KEYS})


def compare(injected: Iterable[Anomaly], found: Iterable[Anomaly]) -> ManifestComparison:
    """Hold what was found against what was injected, as multisets."""
    truth, seen = Counter(injected), Counter(found)
    missed, false_positives = truth - seen, seen - truth
    sides = [_kinds(side) for side in (truth, seen, missed, false_positives)]
    order = {str(kind): position for position, kind in enumerate(AnomalyKind)}
    kinds = sorted(
        {kind for side in sides for kind in side}, key=lambda kind: (order.get(kind, len(order)), kind)
    )
    return ManifestComparison(
        missed=missed,
        false_positives=false_positives,
        by_kind={kind: KindCount(*(side[kind] for side in sides)) for kind in kinds},
        total=KindCount(*(side.total() for side in sides)),
    )


def _kinds(side: Counter[Anomaly]) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for anomaly, count in side.items():
        kinds[str(anomaly.kind)] += count
    return kinds


def found_anomalies(
    connection: Connection[Any], *, dag_id: str | None = None, run_id: str | None = None
) -> Iterator[Anomaly]:
    """Read what publishing rejected and what checks found.

    Of checks, those of each task's latest run and generation count.

    Args:
        connection: The warehouse.
        dag_id: Count only what this DAG rejected and checked.
        run_id: Count only what this run rejected and checked.

    Yields:
        Anomalies, one for each problem of a rejected row and for each failed check.
    """
    with connection.cursor() as cursor:
        for row in cursor.execute(_FOUND, {"dag_id": dag_id, "run_id": run_id}):
            yield Anomaly(*row)
