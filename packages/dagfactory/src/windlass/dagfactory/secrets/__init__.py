"""Which texts hold secrets, and how they are kept out of everything that is shown; knows nothing of configs.

Looking whether there may be any is cheap; what finds them is imported when there may.
"""

from __future__ import annotations

from windlass.dagfactory.secrets.hide import HIDDEN, TELLING, hide, hide_known, secret_places, written
from windlass.dagfactory.secrets.hints import has_hint, hints_in, hints_of, may_hold, searcher
from windlass.dagfactory.secrets.literals import is_literal, names_secret

__all__ = [
    "HIDDEN",
    "TELLING",
    "has_hint",
    "hide",
    "hide_known",
    "hints_in",
    "hints_of",
    "is_literal",
    "may_hold",
    "names_secret",
    "searcher",
    "secret_places",
    "written",
]
