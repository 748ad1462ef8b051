from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.warehouse.seed.draws import SEED_LIMIT
from windlass.warehouse.seed.sales import Volume
from windlass.warehouse.seed.tables import TABLES, table_anomalies, table_rows

SEEDS = st.integers(0, SEED_LIMIT - 1)


def packed(seed: int, scale: float) -> dict[str, bytes]:
    return {
        rows.table: b"".join(chunk.data.tobytes() for chunk in rows.chunks())
        for rows in table_rows(seed, Volume.of(scale))
    }


def manifest(seed: int, scale: float) -> str:
    volume = Volume.of(scale)
    (sales,) = (rows for rows in table_rows(seed, volume) if rows.table == "staging.sale")
    head = "".join(anomaly.to_line() for anomaly in table_anomalies(seed, volume))
    return head + b"".join(chunk.lines for chunk in sales.chunks()).decode()


@pytest.mark.unit
@settings(max_examples=8, deadline=None)
@given(SEEDS, st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_every_table_of_a_larger_scale_begins_with_that_of_a_smaller_one(
    seed: int, one: float, other: float
) -> None:
    small, large = (packed(seed, scale) for scale in sorted((one, other)))
    assert list(small) == list(TABLES)
    for table in TABLES:
        assert large[table].startswith(small[table]), table


@pytest.mark.unit
@settings(max_examples=5, deadline=None)
@given(SEEDS)
def test_the_manifest_of_a_larger_scale_begins_with_that_of_a_smaller_one(seed: int) -> None:
    small, large = manifest(seed, 0.2), manifest(seed, 0.7)
    assert large.startswith(small)
    assert len(large) > 2 * len(small)


@pytest.mark.unit
def test_other_seeds_make_other_rows() -> None:
    one, other = packed(1, 0.01), packed(2, 0.01)
    assert {table for table in TABLES if one[table] == other[table]} == {"source.calendar"}


# Faker's names may change with its version; what NumPy's raw words make may not.
@pytest.mark.unit
@pytest.mark.parametrize(
    ("table", "digest"),
    [
        ("source.calendar", "749119434da835b9c5f39fc522e67352ebcd8936c587d00b2ba85b2b1ab2eca9"),
        ("source.sale", "c44d585873d27c1c58bc7e39bb7c6534f9a82106480d204fe7da0dc352cc2a6a"),
        ("staging.sale", "e7241a6cf04b1945e9a44988951741222e9cc0b4a80c6da89f78391c46c2ee0c"),
        ("staging.sale_drift", "db78e6ad884ff1e4f678b1a984802b495216c64fa2fa968a67c4f4ee19bc7370"),
    ],
)
def test_rows_are_those_of_every_release(table: str, digest: str) -> None:
    assert hashlib.sha256(packed(42, 0.01)[table]).hexdigest() == digest


PRINT_DIGEST = """
import hashlib
from windlass.warehouse.seed.sales import Volume
from windlass.warehouse.seed.tables import table_rows
digest = hashlib.sha256()
for rows in table_rows(7, Volume.of(0.05)):
    for chunk in rows.chunks():
        digest.update(chunk.data)
        digest.update(chunk.lines)
print(digest.hexdigest())
"""


@pytest.mark.integration
def test_other_processes_make_the_same_bytes_whatever_their_environment() -> None:
    environments = (
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC", "OMP_NUM_THREADS": "1"},
        {
            "PYTHONHASHSEED": "2",
            "LC_ALL": "de_DE.UTF-8",
            "TZ": "Pacific/Auckland",
            "NPY_DISABLE_CPU_FEATURES": "AVX2",
        },
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST], env=environment, check=True, capture_output=True, text=True
        ).stdout
        for environment in environments
    }
    assert len(digests) == 1
    assert len(digests.pop()) == 65
