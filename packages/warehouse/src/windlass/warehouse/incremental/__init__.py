"""Loads of what is new: the rows above a watermark, which moves in the transaction that writes them."""

from __future__ import annotations

from windlass.warehouse.incremental.load import incremental_load
from windlass.warehouse.incremental.model import IncrementalResult, Transaction

__all__ = ["IncrementalResult", "Transaction", "incremental_load"]
