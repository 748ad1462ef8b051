"""How a candidate row becomes a target row, decided once from catalog and options, before any row is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from windlass.warehouse.errors import PublishError, TableError
from windlass.warehouse.load.table import Column, PgConnection, Table, describe_table
from windlass.warehouse.publish.catalog import Constraints, ForeignKey, Unique, read_constraints
from windlass.warehouse.publish.model import Lookup

__all__ = ["Plan", "PlannedLookup", "make_plan"]


@dataclass(frozen=True, slots=True)
class PlannedLookup:
    """A lookup with its table.

    Attributes:
        target: Target column it fills.
        table: The table to look in.
    """

    target: Column
    lookup: Lookup
    table: Table


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything known before the rows.

    Attributes:
        target: The table to publish into.
        candidate: The query's rows, in a temporary table.
        constraints: The target's rules.
        key: The columns that tell rows apart.
        row_key: Candidate column that names a row in the rejects.
        direct: Target columns the query brings itself.
        lookups: Target columns found in other tables.
        derived: Generated columns that some rule reads.
        omitted: Other columns that some rule reads and the query does not bring.
        foreign_keys: Foreign keys to check by a join of their own.
        self_references: Foreign keys into the target itself.
    """

    target: Table
    candidate: Table
    constraints: Constraints
    key: tuple[str, ...]
    row_key: str
    direct: tuple[Column, ...]
    lookups: tuple[PlannedLookup, ...]
    derived: tuple[Column, ...]
    omitted: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]
    self_references: tuple[ForeignKey, ...]

    @property
    def written(self) -> tuple[Column, ...]:
        """The target columns that rows are written with."""
        return (*self.direct, *(item.target for item in self.lookups))

    @property
    def key_unique(self) -> Unique:
        """The unique index that the key stands on."""
        return next(item for item in self.constraints.uniques if _covers(item, self.key))

    @property
    def known(self) -> frozenset[str]:
        """The target columns whose values are known before a row is written."""
        return frozenset(column.name for column in (*self.written, *self.derived, *self.omitted))

    @property
    def uniques(self) -> tuple[Unique, ...]:
        """The unique indexes that can be audited, the key's own first."""
        own = self.key_unique
        others = (item for item in self.constraints.uniques if not _covers(item, self.key))
        return (own, *(item for item in others if self.known.issuperset(item.needs)))


def make_plan(
    connection: PgConnection,
    *,
    target: Table,
    candidate: Table,
    key: Iterable[str],
    row_key: str | None,
    lookups: Mapping[str, Lookup],
) -> Plan:
    """Match the query's columns, the lookups and the target's constraints.

    Raises:
        TableError: A column is unknown, missing, given twice, or cannot be written.
        PublishError: No unique constraint of the target stands behind the key.
    """
    key = tuple(key)
    constraints = read_constraints(connection, target)
    planned = tuple(_planned(connection, target, name, lookup) for name, lookup in lookups.items())
    direct = _direct(target, candidate, lookups)
    written = {column.name for column in (*direct, *(item.target for item in planned))}
    _check_inputs(target, candidate, planned, row_key or key[0])
    _check_key(target, constraints, key, written)
    _check_complete(target, written)
    needed = _needed(target, constraints, written)
    return Plan(
        target=target,
        candidate=candidate,
        constraints=constraints,
        key=key,
        row_key=row_key or key[0],
        direct=direct,
        lookups=planned,
        derived=tuple(
            column
            for name, column in target.columns.items()
            if column.generated and name in needed and _evaluable(target, column, written)
        ),
        omitted=tuple(
            column
            for name, column in target.columns.items()
            if name in needed and name not in written and not column.generated and not _is_numbered(column)
        ),
        foreign_keys=tuple(
            fk
            for fk in constraints.foreign_keys
            if fk.table_oid != target.oid
            and written.issuperset(fk.columns)
            and not _is_looked_up(fk, planned)
        ),
        self_references=tuple(
            fk
            for fk in constraints.foreign_keys
            if fk.table_oid == target.oid and written.issuperset(fk.columns)
        ),
    )


def _is_numbered(column: Column) -> bool:
    # Evaluating nextval for the audit would burn numbers; the sequence keeps such columns unique by itself.
    return bool(column.identity) or "nextval(" in (column.expression or "")


def _needed(target: Table, constraints: Constraints, written: set[str]) -> set[str]:
    """The columns the rules read, and those that generated ones among them are made of."""
    needed = {name for check in constraints.checks for name in check.columns}
    needed |= {name for unique in constraints.uniques for name in unique.needs}
    for name in tuple(needed):
        if target.columns[name].generated:
            needed |= _mentioned(target, name)
    return needed | written


def _mentioned(target: Table, generated: str) -> set[str]:
    # A name inside another name only makes the set larger than it need be.
    expression = target.columns[generated].expression or ""
    return {name for name in target.columns if name != generated and name in expression}


def _evaluable(target: Table, column: Column, written: set[str]) -> bool:
    return all(
        name in written or not _is_numbered(target.columns[name]) for name in _mentioned(target, column.name)
    )


def _planned(connection: PgConnection, target: Table, name: str, lookup: Lookup) -> PlannedLookup:
    column = target.columns.get(name)
    if column is None:
        raise _unknown(target, name, "A lookup fills")
    table = describe_table(connection, lookup.table)
    wanted = [lookup.column, *lookup.on, *(("valid_from", "valid_to") if lookup.valid_at else ())]
    for other in wanted:
        if other not in table.columns:
            raise _unknown(table, other, f"The lookup of {name} needs")
    if not lookup.on:
        raise TableError(
            f"The lookup of {name} joins on nothing.", table=str(table), advice='Give "on": {column: input}.'
        )
    return PlannedLookup(column, lookup, table)


def _unknown(table: Table, name: str, what: str) -> TableError:
    return TableError(
        f"{what} column {name!r}, which {table} does not have.",
        table=str(table),
        advice=f"It has: {', '.join(table.columns)}.",
    )


def _direct(target: Table, candidate: Table, lookups: Mapping[str, Lookup]) -> tuple[Column, ...]:
    inputs = {name for lookup in lookups.values() for name in lookup.inputs}
    direct = []
    for name in candidate.columns:
        if name in lookups:
            raise TableError(
                f"Column {name!r} comes from the query and from a lookup.",
                table=str(target),
                advice="Remove it from one of them.",
            )
        column = target.columns.get(name)
        if column is not None:
            direct.append(column)
        elif name not in inputs and name not in ("windlass ord", "windlass landed"):
            raise _unknown(target, name, "The query brings")
    for column in (*direct, *(target.columns[name] for name in lookups)):
        if not column.is_writable:
            raise TableError(
                f"Column {column.name!r} of {target} fills itself and cannot be written.",
                table=str(target),
                advice="Remove it from the query.",
            )
    return tuple(direct)


def _check_inputs(target: Table, candidate: Table, lookups: tuple[PlannedLookup, ...], row_key: str) -> None:
    wanted = [(name, f"the lookup of {item.target.name}") for item in lookups for name in item.lookup.inputs]
    for name, who in [*wanted, (row_key, "row_key")]:
        if name not in candidate.columns:
            raise TableError(
                f"The query brings no column {name!r}, which {who} needs.",
                table=str(target),
                advice=f"Select it. The query brings: {', '.join(list(candidate.columns)[2:])}.",
            )


def _check_key(target: Table, constraints: Constraints, key: tuple[str, ...], written: set[str]) -> None:
    for name in key:
        if name not in target.columns:
            raise _unknown(target, name, "The key names")
        if name not in written:
            raise TableError(
                f"Key column {name!r} comes neither from the query nor from a lookup.",
                table=str(target),
                advice="Select it.",
            )
    if not any(_covers(unique, key) for unique in constraints.uniques):
        raise PublishError(
            f"No unique constraint of {target} is on ({', '.join(key)}), so the key may name several rows.",
            advice="Give the columns of its primary key or of a unique constraint as key.",
        )


def _covers(unique: Unique, key: tuple[str, ...]) -> bool:
    return unique.predicate is None and set(unique.columns) == set(key)


def _check_complete(target: Table, written: set[str]) -> None:
    missing = [
        column.name
        for column in target.columns.values()
        if column.not_null and column.name not in written and not column.is_filled_by_table
    ]
    if missing:
        raise TableError(
            f"{target} needs {', '.join(missing)}, and neither the query nor a lookup brings it.",
            table=str(target),
            advice="Select it, look it up, or give the column a default.",
        )


def _is_looked_up(fk: ForeignKey, lookups: tuple[PlannedLookup, ...]) -> bool:
    """Whether the key's values are read from the very column it refers to, and so cannot be orphans."""
    return any(
        fk.columns == (item.target.name,)
        and fk.table_oid == item.table.oid
        and fk.references == (item.lookup.column,)
        and item.table.columns[item.lookup.column].type_oid == item.target.type_oid
        for item in lookups
    )
