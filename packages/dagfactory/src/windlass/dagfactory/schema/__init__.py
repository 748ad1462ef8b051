"""The JSON Schema of configs, for editors: what a config may say, and what each operator takes."""

from __future__ import annotations

__all__: list[str] = []
