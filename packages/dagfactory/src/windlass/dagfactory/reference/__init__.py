"""Reference pages made from the code: what configs may say, what is installed, what each error code means."""

from __future__ import annotations

from windlass.dagfactory.reference.config import config_page
from windlass.dagfactory.reference.errors import errors_page
from windlass.dagfactory.reference.operators import operators_page

__all__ = ["config_page", "errors_page", "operators_page"]
