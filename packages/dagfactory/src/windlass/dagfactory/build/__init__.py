"""A checked config becomes an `airflow.sdk.DAG`."""

from __future__ import annotations

from windlass.dagfactory.build.dag import ConfigDag, build_dag

__all__ = ["ConfigDag", "build_dag"]
