"""What a load logs beside its result: events that somebody should look into."""

from __future__ import annotations

from dataclasses import asdict

from windlass.warehouse.incremental.model import IncrementalResult

__all__ = ["warn", "warn_held_back"]


def warn(event: str, **fields: object) -> None:
    """Log an event as a warning."""
    # Imported late: it takes a good part of the package's time to import.
    import structlog

    structlog.get_logger("windlass.warehouse.incremental").warning(event, **fields)


def warn_held_back(result: IncrementalResult, *, pipeline: str) -> None:
    """Say which transaction of the source keeps the watermark from moving."""
    oldest = asdict(result.oldest) if result.oldest else {}
    warn(
        "watermark_held_back",
        table=result.table,
        pipeline=pipeline,
        watermark=result.watermark_after,
        pending=result.pending,
        transactions=result.held_back,
        **{f"oldest_{name}": value for name, value in oldest.items()},
    )
