"""Plans kept beside stubs: what was found right before is neither parsed nor checked nor modelled again.

As Python keeps bytecode: what is kept counts only as long as all that it was made of is the same, and where
it cannot be read, written or used, it is made anew.
"""

# A Path for each file would cost more than the rest.
# ruff: noqa: PTH103, PTH105, PTH108, PTH112, PTH120, PTH123

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import sys
import tempfile
import zlib
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.plan import model
from windlass.dagfactory.plan.ingredients import (
    Code,
    Ingredients,
    all_old,
    code_of,
    is_as_it_was,
    take_digest,
)
from windlass.dagfactory.plan.model import DagPlan
from windlass.dagfactory.stamps import take_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from windlass.dagfactory.discovery import ConfigFile

__all__ = ["FOLDER", "PlanStore"]

FOLDER = ".windlass/plans"
"""Where plans are, below the folder of stubs."""

_CRC, _SEED = 4, zlib.crc32(b"plan")
# What unpickling raises where the parts of another release's plans are others.
_UNREADABLE = (OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, pickle.UnpicklingError)
_DATA = frozenset(("datetime", name) for name in ("date", "datetime", "timedelta", "timezone"))
_PARTS = frozenset(model.__all__)


class PlanStore:
    """The stored plan of one config.

    Args:
        stub: Real path of the config's stub.
        name: How the config is called: its path relative to the folder of configs.
    """

    def __init__(self, stub: str, name: str) -> None:
        # A stub that stands elsewhere than where it was written has no folder of ours around it.
        root = stub.removesuffix(f"{name}.py") if stub.endswith(f"/{name}.py") else ""
        self._own = f"{root}{os.path.dirname(FOLDER)}" if root else ""
        self._path = f"{root}{FOLDER}/{name}.{sys.implementation.cache_tag}" if root else ""

    def read(self, file: ConfigFile, also_in: Sequence[str]) -> DagPlan | None:
        """Read the plan, if there is one and what it was made of is as it was.

        Args:
            file: The config.
            also_in: Other configs that claim the same DAG id.
        """
        if not self._path:
            return None
        try:
            with open(self._path, "rb") as stored:
                crc, content = stored.read(_CRC), stored.read()
            if crc != _crc(content):
                return None
            code, ingredients, digest, plan = _load(content)
            if ingredients.also_in != tuple(also_in) or not is_as_it_was(code):
                return None
            if take_digest(file, take_content(file.path), ingredients) != digest:
                return None
            found: DagPlan = _load(plan)
        except _UNREADABLE:
            return None
        return found

    def dump(self, plan: DagPlan) -> bytes | None:
        """Write a plan down to be stored later.

        Args:
            plan: The plan.

        Returns:
            None if there is no place to store it, or if it holds values of types that are not read again.
        """
        if not self._path or not os.path.isdir(self._own):
            return None
        try:
            content = pickle.dumps(plan, 5)
            _load(content)
        except (pickle.PickleError, TypeError, AttributeError):
            return None
        return content

    def write(
        self,
        content: bytes | None,
        file: ConfigFile,
        data: bytes,
        ingredients: Ingredients,
        *,
        packages: Iterable[str],
        begin: int,
        real: str,
    ) -> bool:
        """Store a plan, if it can be told from stamps that what it was made of did not change meanwhile.

        Args:
            content: The plan as `dump` wrote it down.
            file: The config.
            data: Its bytes as they were analysed.
            ingredients: What else the plan was made of.
            packages: Names of packages whose code took part.
            begin: When reading began, in nanoseconds since the epoch.
            real: Where links led to the config then: whole trees are switched by a link, to files of any age.

        Returns:
            Whether it was stored.
        """
        if content is None:
            return False
        code = code_of(packages)
        if code is None:
            return False
        digest = take_digest(file, hashlib.sha256(data).digest(), ingredients)
        # Asked last: what is old now was read for the digest as it was for the plan.
        if os.path.realpath(file.path) != real or not all_old(file, ingredients, begin):
            return False
        content = pickle.dumps((code, ingredients, digest, content), 5)
        return self._replace(_crc(content) + content)

    def remove(self) -> None:
        """Remove the plan, if there is one."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _replace(self, content: bytes) -> bool:
        temporary = ""
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=f"{self._path}.")
            with open(descriptor, "wb") as stored:
                stored.write(content)
            os.replace(temporary, self._path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            return False
        return True


class _Reader(pickle.Unpickler):
    """Reads plain data and the parts of plans, nothing that could do anything."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _DATA:
            return super().find_class(module, name)
        if module == model.__name__ and name in _PARTS:
            return getattr(model, name)
        if module == Code.__module__ and name in ("Code", "Ingredients"):
            return super().find_class(module, name)
        message = f"{module}.{name} is no part of a plan"
        raise pickle.UnpicklingError(message)


def _load(content: bytes) -> Any:
    return _Reader(io.BytesIO(content)).load()


def _crc(content: bytes) -> bytes:
    return zlib.crc32(content, _SEED).to_bytes(_CRC, "big")
