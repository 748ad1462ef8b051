"""What all parts of the model share: strictness, and the kinds of text and number that recur."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = ["ClassPath", "Count", "Name", "Strict", "Tag", "Text", "UserName", "branch"]

_USER = r"[A-Za-z0-9_#][A-Za-z0-9_.@\\-]*\$?"


def _user(value: str) -> str:
    if not re.fullmatch(_USER, value):
        raise PydanticCustomError("user", "not the name of a user")
    return value


Text = Annotated[str, Field(max_length=65536)]
Name = Annotated[str, Field(min_length=1, max_length=250)]
Tag = Annotated[str, Field(min_length=1, max_length=100)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
UserName = Annotated[
    str,
    Field(min_length=1, max_length=100, json_schema_extra={"pattern": f"^(?:{_USER})$"}),
    AfterValidator(_user),  # it goes to sudo: no option, no second word
]
ClassPath = Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", max_length=500)]


class Strict(BaseModel):
    """A part of a config: no unknown keys, no conversion between types, no change once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def branch(name: str) -> str:
    """Name a branch of a union so that it is told from every key of a config, which cannot hold NUL."""
    return f"\0{name}"
