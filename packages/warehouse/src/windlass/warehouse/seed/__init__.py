"""Fill `source` and `staging` with generated rows whose problems are known.

`seed` loads them; `manifest` reads the ground truth and holds what was found against it. NumPy and Faker come
with the extra `seed` and are imported when rows are made.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from windlass.warehouse.errors import MissingExtraError

if TYPE_CHECKING:
    from windlass.warehouse.seed.load import SCALE_LIMIT, Progress, SeedReport, seed

__all__ = ["SCALE_LIMIT", "Progress", "SeedReport", "seed"]

_EXTRA = ("numpy", "faker")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Before anything is loaded: Faker is imported only when the first people are made.
    if any(find_spec(module) is None for module in _EXTRA):
        raise MissingExtraError("Seeding", extra="seed")
    from windlass.warehouse.seed import load

    return getattr(load, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
