"""Which colour an operator has: that of its family, the same in every drawing."""

from __future__ import annotations

from colorsys import hls_to_rgb
from zlib import crc32

__all__ = ["family_of", "ink_of"]

_HUES = 14
"""Few enough to be told apart, enough that the families of this platform have each their own."""
_LIGHTNESS, _SATURATION = (0.42, 0.52), 0.6
_STANDARD = "airflow.providers.standard."
_PROVIDERS = "airflow.providers."


def family_of(operator: str) -> str:
    """Name an operator's family: `warehouse` of `warehouse.publish`, of a class its provider or package.

    Args:
        operator: As a config names it.
    """
    if operator.startswith(_PROVIDERS) and not operator.startswith(_STANDARD):
        return operator.removeprefix(_PROVIDERS).partition(".")[0]
    return operator.partition(".")[0] or "no operator"


def ink_of(family: str) -> str:
    """Give a family's colour, as `#rrggbb`; readable on light ground and on dark."""
    number = crc32(family.encode()) % _HUES
    parts = hls_to_rgb(number / _HUES, _LIGHTNESS[number % 2], _SATURATION)
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)
