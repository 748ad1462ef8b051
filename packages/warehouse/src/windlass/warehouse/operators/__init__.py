"""Tasks that load, transform and publish: thin, the work is done by functions that know no Airflow."""

from __future__ import annotations

from windlass.warehouse.operators.extract_load import ExtractLoadOperator
from windlass.warehouse.operators.incremental_load import IncrementalLoadOperator
from windlass.warehouse.operators.load_file import LoadFileOperator
from windlass.warehouse.operators.publish import PublishOperator
from windlass.warehouse.operators.query import QueryOperator
from windlass.warehouse.operators.scd2 import Scd2Operator
from windlass.warehouse.operators.transform import TransformOperator

__all__ = [
    "ExtractLoadOperator",
    "IncrementalLoadOperator",
    "LoadFileOperator",
    "PublishOperator",
    "QueryOperator",
    "Scd2Operator",
    "TransformOperator",
]
