"""What holds for a config: folders' defaults, outermost first, then its own words, variables filled in."""

from __future__ import annotations

from windlass.dagfactory.layers.chain import Chain, ChainReader
from windlass.dagfactory.layers.layer import Layer
from windlass.dagfactory.layers.merge import merge
from windlass.dagfactory.layers.resolved import Resolved, resolve

__all__ = ["Chain", "ChainReader", "Layer", "Resolved", "merge", "resolve"]
