"""The words for what can be wrong with data, shared by the manifest, the rejects and the check results."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ROW_LEVEL", "TABLE_LEVEL", "AnomalyKind"]


class AnomalyKind(StrEnum):
    """A kind of anomaly; its value is the word stored in files and tables."""

    NULL = "null"
    DUPLICATE_KEY = "duplicate_key"
    DUPLICATE_COMPOSITE_KEY = "duplicate_composite_key"
    ORPHAN = "orphan"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_VALUE = "unknown_value"
    NOT_A_NUMBER = "not_a_number"
    INVALID_VALUE = "invalid_value"
    MISSING_DAY = "missing_day"
    STALE_PARTITION = "stale_partition"
    SCHEMA_DRIFT = "schema_drift"


TABLE_LEVEL = frozenset({AnomalyKind.MISSING_DAY, AnomalyKind.STALE_PARTITION, AnomalyKind.SCHEMA_DRIFT})
"""Kinds that tell of a table or one of its partitions, found by checks."""

ROW_LEVEL = frozenset(AnomalyKind) - TABLE_LEVEL
"""Kinds that tell of one row, found when it is published."""
