"""The JSON Schema of configs, for editors: what a config may say, and what each operator takes."""

from __future__ import annotations

from windlass.dagfactory.schema.config import DIALECT, config_schema, defaults_schema

__all__ = ["DIALECT", "config_schema", "defaults_schema"]
