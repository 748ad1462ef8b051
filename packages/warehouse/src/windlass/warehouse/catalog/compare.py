"""What differs between two catalogs, object by object; of an object that is missing, its parts go unsaid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from windlass.warehouse.catalog.objects import CatalogObject, Kind

__all__ = ["Change", "Difference", "Finding", "compare"]

_PARENTS = (Kind.TABLE, Kind.VIEW, Kind.MATERIALIZED_VIEW, Kind.TYPE)


class Finding(StrEnum):
    """How an object differs from what is expected."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


@dataclass(frozen=True)
class Change:
    """A property of an object that differs.

    Attributes:
        name: The property, e.g. `type`.
        expected: Its value where the expectation comes from; none when it is not set there.
        found: Its value in the database compared.
    """

    name: str
    expected: str | None
    found: str | None


@dataclass(frozen=True)
class Difference:
    """An object that differs.

    Attributes:
        finding: missing, changed, or extra.
        kind: What the object is.
        name: Its name as SQL.
        changes: What of it differs; empty unless it is changed.
    """

    finding: Finding
    kind: Kind
    name: str
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.finding} {self.kind} {self.name}"]
        for each in self.changes:
            expected, found = _shown(each.expected), _shown(each.found)
            if "\n" in expected + found:
                lines += [f"    {each.name}, expected:", _indented(expected), "    found:", _indented(found)]
            else:
                lines.append(f"    {each.name}: expected {expected}, found {found}")
        return "\n".join(lines)


def _shown(value: str | None) -> str:
    return "nothing" if value is None else value


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.strip("\n").split("\n"))


def compare(expected: Iterable[CatalogObject], found: Iterable[CatalogObject]) -> tuple[Difference, ...]:
    """Compare the objects of two databases.

    Objects in schemas of which nothing is expected are nobody's business and left out.

    Args:
        expected: What there should be.
        found: What there is.

    Returns:
        The differences: missing ones, changed ones, extra ones, each by kind and name.
    """
    wanted = {each.key: each for each in expected}
    schemas = {each.schema for each in wanted.values()}
    # `public` comes with the database: what is in it is only ours to judge if we put something there.
    if not any(each.schema == "public" and each.kind is not Kind.SCHEMA for each in wanted.values()):
        schemas.discard("public")
    judged = {key: each for key, each in wanted.items() if each.schema in schemas}
    there = {each.key: each for each in found if each.schema in schemas or each.key in judged}
    missing = _tops(judged, there)
    extra = [each for each in _tops(there, judged) if each.kind is not Kind.EXTENSION]
    return (
        *(Difference(Finding.MISSING, each.kind, each.name) for each in missing),
        *_changed(judged, there),
        *(Difference(Finding.EXTRA, each.kind, each.name) for each in extra),
    )


def _tops(
    those: Mapping[tuple[Kind, str], CatalogObject], other: Mapping[tuple[Kind, str], CatalogObject]
) -> list[CatalogObject]:
    gone = [each for key, each in those.items() if key not in other]
    parents = {each.name for each in gone if each.kind in _PARENTS}
    schemas = {each.schema for each in gone if each.kind is Kind.SCHEMA}
    return [
        each
        for each in gone
        if each.parent not in parents and (each.kind is Kind.SCHEMA or each.schema not in schemas)
    ]


def _changed(
    wanted: Mapping[tuple[Kind, str], CatalogObject], there: Mapping[tuple[Kind, str], CatalogObject]
) -> Iterator[Difference]:
    for key, each in wanted.items():
        other = there.get(key)
        if other is None or other.properties == each.properties:
            continue
        names = sorted(each.properties.keys() | other.properties.keys())
        yield Difference(
            Finding.CHANGED,
            each.kind,
            each.name,
            tuple(
                Change(name, each.properties.get(name), other.properties.get(name))
                for name in names
                if each.properties.get(name) != other.properties.get(name)
            ),
        )
