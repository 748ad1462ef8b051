"""Does the config hold a secret: all who see the DAG read it, and version control keeps it for good."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath, Source
from windlass.dagfactory.document import Problem, read_bytes
from windlass.dagfactory.secrets import (
    has_hint,
    hints_in,
    hints_of,
    is_literal,
    may_hold,
    names_secret,
    searcher,
)

if TYPE_CHECKING:
    from windlass.dagfactory.secrets.found import Secret

__all__ = ["check_secrets"]

_PROSE = frozenset(
    {
        "dag_display_name",
        "description",
        "description_md",
        "doc_md",
        "group_display_name",
        "task_display_name",
        "title",
        "tooltip",
    }
)
_OPERATORS_OWN = frozenset({"args", "executor_config", "expand", "expand_kwargs"})
"""Below these, keys are parameters of operators: none of them is prose."""
_SCRIPTS = (".sh", ".bash", ".sql", ".hql")
_MAY_NAME_SCRIPTS = re.compile(rb"\.(?:sh|sql|hql|bash(?<!airflow\.bash))")
_AUTHORIZATION = re.compile(r"(?:\A|[_-])authorization\Z", re.IGNORECASE)
_SCHEME = re.compile(r"\s*(?:Bearer|Basic|Token)\s+(?=\S)", re.IGNORECASE)
_PARAM_DEPTH = 2
_LEAST_NUMBER = 1000
_PRUNED = 2
"""Down to which depth, that of tasks, it is quicker to look at whole values than to go into them."""
_LONGEST_NAME = 255


def check_secrets(data: Mapping[str, Any], folder: Path | None = None) -> Iterator[Finding]:
    """Look for keys that name secrets and have values, and for texts that hold one; keys are texts too.

    Args:
        data: The config.
        folder: Its folder, if scripts beside it that operators name are to be looked through.
    """
    hints = hints_of(data)
    if hints:
        yield from _Search(hints).run(data)
    if folder is not None and may_hold(data, _MAY_NAME_SCRIPTS):
        yield from _in_scripts(data, os.fspath(folder))


class _Search:
    def __init__(self, hints: tuple[bytes, ...]) -> None:
        self._hints = hints
        self._suspect = searcher(hints).search
        self._keys: dict[str, bool] = {"": False}

    def run(self, data: Mapping[str, Any]) -> Iterator[Finding]:
        pending: list[tuple[Any, JsonPath, bool]] = [(data, (), False)]
        while pending:
            value, path, owned = pending.pop()
            if isinstance(value, dict):
                for key, inner in value.items():
                    telling = self._keys.get(key)
                    if telling is None:
                        telling = self._keys[key] = self._suspect(key.lower()) is not None
                    if isinstance(inner, str):
                        if telling or self._suspect(inner.lower()) or key == "default":
                            yield from self._text(inner, path, key, owned=owned)
                    elif isinstance(inner, dict | list) and (
                        telling or len(path) >= _PRUNED or has_hint(inner, self._hints)
                    ):
                        pending.append((inner, (*path, key), owned or key in _OPERATORS_OWN))
                    if telling:
                        yield from _at_key(key, inner, (*path, key))
                if "value" in value:
                    yield from _pair(value, path)
            else:
                yield from self._items(value, path, pending, owned=owned)

    def _items(
        self, items: list[Any], path: JsonPath, pending: list[tuple[Any, JsonPath, bool]], *, owned: bool
    ) -> Iterator[Finding]:
        telling = self._suspect(_key_of(path[:-1], path[-1]).lower()) is not None
        option = ""
        for index, inner in enumerate(items):
            if isinstance(inner, str):
                if option and is_literal(inner) and not inner.startswith("-"):
                    yield _by_name(option, (*path, index))
                elif telling or self._suspect(inner.lower()):
                    yield from self._text(inner, path, index, owned=owned)
                option = inner if _is_option(inner) else ""
            elif isinstance(inner, dict | list):
                pending.append((inner, (*path, index), owned))

    def _text(self, value: str, above: JsonPath, last: str | int, *, owned: bool) -> Iterator[Finding]:
        path = (*above, last)
        key = _key_of(above, last)
        if names_secret(key) and is_literal(value):
            yield _by_name(key, path)
            return
        prose = key in _PROSE and not owned
        found = list(_secrets_in(value, prose=prose))
        if not found and not prose:
            found = _credentials(key, value)
        for secret in found:
            yield _finding(f'"{key}" holds', secret, path)


def _in_scripts(data: Mapping[str, Any], folder: str) -> Iterator[Finding]:
    """Look through the scripts beside the config that operators name, each once."""
    names: set[str] = set()
    pending: list[Any] = [data]
    while pending:
        value = pending.pop()
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                pending.append(inner)
            elif isinstance(inner, str) and inner.endswith(_SCRIPTS):
                names.add(inner)
    for name in sorted(names):
        text = _script(folder, name)
        secrets = _secrets_in(text, prose=False) if text else []
        path = _place_of(name, data) if secrets else None
        for secret in secrets if path else ():
            yield _finding(
                f'"{name}" holds', secret, path or (), Source(os.path.normpath(name), text, shown=False)
            )


def _script(folder: str, name: str) -> str:
    """Read a file that is in the folder, as far as it is looked through; that it is there others see to."""
    if len(name) > _LONGEST_NAME or not name.isprintable():
        return ""
    path = f"{folder}/{name}"
    if "/" in name or os.path.islink(path):  # noqa: PTH114 - a Path costs more
        path, inside = os.path.realpath(path), os.path.realpath(folder)
        if not path.startswith(f"{inside}/"):
            return ""
    content = read_bytes(path)
    if isinstance(content, Problem):
        return ""
    return content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _place_of(name: str, data: Mapping[str, Any]) -> JsonPath | None:
    """Find where an operator names a script: the first place below args and the like."""
    pending: list[tuple[Any, JsonPath, bool]] = [(data, (), False)]
    while pending:
        value, path, owned = pending.pop(0)
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if inner == name and owned:
                return (*path, key)
            if isinstance(inner, dict | list):
                pending.append((inner, (*path, key), owned or key in _OPERATORS_OWN))
    return None


def _key_of(above: JsonPath, last: str | int) -> str:
    """Tell what names a value: its key, that of the list it is in, or the param it is the default of."""
    if last == "default" and len(above) == _PARAM_DEPTH and above[0] == "params":
        return str(above[1])
    return last if isinstance(last, str) else next((k for k in reversed(above) if isinstance(k, str)), "")


def _is_option(text: str) -> bool:
    return text.startswith("-") and "=" not in text and names_secret(text)


def _secrets_in(text: str, *, prose: bool) -> list[Secret]:
    if not hints_in(text):
        return []
    from windlass.dagfactory.secrets.find import find_secrets  # its patterns take a while to be made

    return find_secrets(text, prose=prose)


def _credentials(key: str, value: str) -> list[Secret]:
    scheme = _SCHEME.match(value) if _AUTHORIZATION.search(key) else None
    if scheme is None or not is_literal(value[scheme.end() :]):
        return []
    from windlass.dagfactory.secrets.found import Secret

    return [Secret(scheme.end(), len(value), "an Authorization header")]


def _at_key(key: str, value: Any, path: JsonPath) -> Iterator[Finding]:
    """Look at a key itself, and at a number under it."""
    for secret in _secrets_in(key, prose=True):
        yield Finding(_code(secret), path, f"the key holds what looks like {secret.kind}", at="key")
    if type(value) is int and value >= _LEAST_NUMBER and names_secret(key):
        yield _by_name(key, path)


def _pair(value: Mapping[str, Any], path: JsonPath) -> Iterator[Finding]:
    """Look at a name beside its value, as Kubernetes has environment variables."""
    name, content = value.get("name", value.get("key")), value["value"]
    if isinstance(name, str) and isinstance(content, str) and names_secret(name) and is_literal(content):
        yield _by_name(name, (*path, "value"))


def _by_name(key: str, path: JsonPath) -> Finding:
    return Finding(Code.SECRET_VALUE, path, f'the value of "{key}" looks like a secret')


def _finding(what: str, secret: Secret, path: JsonPath, source: Source | None = None) -> Finding:
    held = "a URL with a password" if secret.in_url and secret.kind == "a password" else None
    message = f"{what} {held}" if held else f"{what} what looks like {secret.kind}"
    inside = secret.start, secret.end - secret.start
    return Finding(_code(secret), path, message, inside=inside, source=source)


def _code(secret: Secret) -> Code:
    return Code.SECRET_IN_URL if secret.in_url else Code.SECRET_VALUE
