"""Can Airflow take the assets that a config names, and does each name mean one asset in all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from windlass.dagfactory.checks.tree import Tree
from windlass.dagfactory.diagnostics import Code, Finding, JsonPath

__all__ = ["check_assets"]

_RESERVED = ("self", "context")
_POSTGRES, _TABLE_DEPTH = ("postgres", "postgresql"), 3


def check_assets(data: Mapping[str, Any], tree: Tree) -> Iterator[Finding]:
    """Check the assets of the schedule and of all tasks.

    Args:
        data: The config.
        tree: Its tasks and groups.
    """
    known: dict[str, tuple[tuple[str, Any], JsonPath]] = {}
    for asset, path in _assets(data, tree):
        if "asset" not in asset:
            if isinstance(asset["alias"], str) and asset["alias"].isspace():
                message = "the name of an asset alias must not be blank"
                yield Finding(Code.ASSET, (*path, "alias"), message, "write a name")
            continue
        name, uri, group = asset.get("asset"), asset.get("uri"), asset.get("group")
        if not isinstance(name, str) or not isinstance(uri, str | None) or not isinstance(group, str | None):
            continue  # the model has reported it
        if group is not None and group.isspace():
            message = "an asset's group must not be blank"
            yield Finding(Code.ASSET, (*path, "group"), message, "write a name, or remove the key")
        problem = _problem(name, uri)
        if problem is not None:
            yield Finding(Code.ASSET, (*path, "uri" if uri else "asset"), *problem)
            continue
        meant = (uri or name, group)
        before, _ = known.setdefault(name, (meant, path))
        if before != meant:
            message = f'the asset "{name}" has the {_differing(before, meant)} elsewhere in this config'
            yield Finding(Code.ASSET_CONFLICT, (*path, "asset"), message, "write it the same everywhere")


def _differing(before: tuple[str, Any], meant: tuple[str, Any]) -> str:
    if before[0] != meant[0]:
        return f'URI "{before[0]}"'
    return f'group "{before[1]}"' if before[1] else "group asset"


def _problem(name: str, uri: str | None) -> tuple[str, str] | None:
    if not name.strip() or (uri is not None and not uri.strip()):
        return "an asset's name and URI must not be blank", "write a name or a URI"
    if name in _RESERVED:
        return f'"{name}" cannot be the name of an asset', "choose another name"
    try:
        parts = urlsplit(uri or name)
        if parts.scheme in _POSTGRES:
            _ = parts.port  # looked at by Airflow
    except ValueError as error:
        return f'"{uri or name}" is no URI: {error}', "correct the URI"
    if parts.scheme == "airflow":
        return "the scheme airflow is Airflow's own", "choose another scheme"
    if parts.scheme in _POSTGRES and not (parts.netloc and parts.path.rstrip("/").count("/") == _TABLE_DEPTH):
        return "Airflow takes only tables for URIs of Postgres", "write postgres://HOST/DATABASE/SCHEMA/TABLE"
    return None


def _assets(data: Mapping[str, Any], tree: Tree) -> Iterator[tuple[Mapping[str, Any], JsonPath]]:
    yield from _inside(data.get("schedule"), ("schedule",))
    for node in tree.tasks():
        for key in ("outlets", "inlets"):
            listed = node.entry.get(key)
            for index, value in enumerate(listed if isinstance(listed, list) else ()):
                yield from _inside(value, (*node.path, key, index))


def _inside(value: Any, path: JsonPath) -> Iterator[tuple[Mapping[str, Any], JsonPath]]:
    if not isinstance(value, dict):
        return
    if "asset" in value or "alias" in value:
        yield value, path
        return
    for key in ("any", "all"):
        inner = value.get(key)
        for index, part in enumerate(inner if isinstance(inner, list) else ()):
            yield from _inside(part, (*path, key, index))
