"""Airflow's own settings, looked up once a process: Airflow would do it for each DAG, a tenth of a build."""

from __future__ import annotations

from functools import cache

from airflow.sdk.configuration import conf

__all__ = ["bool_setting", "int_setting"]


@cache
def int_setting(section: str, key: str) -> int:
    """Look up a whole number."""
    value: int = conf.getint(section, key)
    return value


@cache
def bool_setting(section: str, key: str) -> bool:
    """Look up a yes or no."""
    value: bool = conf.getboolean(section, key)
    return value
