"""A checked config, or its plan, becomes an `airflow.sdk.DAG`."""

from __future__ import annotations

from windlass.dagfactory.build.dag import ConfigDag, build_dag, construct, construct_checked

__all__ = ["ConfigDag", "build_dag", "construct", "construct_checked"]
