"""The JSON Schema of configs, for editors: what a config may say, with the parameters of all that is there."""

from __future__ import annotations

__all__: list[str] = []
