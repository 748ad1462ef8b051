"""What all parts of the model share: strictness, and the kinds of text and number that recur."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ClassPath", "Count", "Name", "Strict", "Tag", "Text", "branch"]

Text = Annotated[str, Field(max_length=65536)]
Name = Annotated[str, Field(min_length=1, max_length=250)]
Tag = Annotated[str, Field(min_length=1, max_length=100)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
ClassPath = Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", max_length=500)]


class Strict(BaseModel):
    """A part of a config: no unknown keys, no conversion between types, no change once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def branch(name: str) -> str:
    """Name a branch of a union so that it is told from every key of a config, which cannot hold NUL."""
    return f"\0{name}"
