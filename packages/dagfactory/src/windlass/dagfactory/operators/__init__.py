"""Thin operators for what configs can say and Airflow's own classes cannot take as JSON."""

from __future__ import annotations
