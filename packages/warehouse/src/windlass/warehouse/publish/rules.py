"""The rules a candidate row is held against, derived from the plan: nobody writes them down a second time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from windlass.warehouse.anomaly import AnomalyKind
from windlass.warehouse.load.table import Column
from windlass.warehouse.publish.catalog import Check, Unique
from windlass.warehouse.publish.model import Rule
from windlass.warehouse.publish.plan import Plan, PlannedLookup

__all__ = ["REFUSALS", "Input", "Inputs", "RuleBook", "make_rules"]

_MEMBERSHIP = re.compile(r"= ANY \(+ARRAY\[")
_INTEGERS = ("smallint", "integer", "bigint")
_WIDER = {
    "smallint": {"integer", "bigint", "numeric", "real", "double precision"},
    "integer": {"bigint", "numeric", "double precision"},
    "bigint": {"numeric"},
    "real": {"double precision"},
    "character varying": {"text"},
    "text": {"character varying"},
    "date": {"timestamp without time zone", "timestamp with time zone"},
}

REFUSALS = {
    "23502": AnomalyKind.NULL,
    "23503": AnomalyKind.ORPHAN,
    "23505": AnomalyKind.DUPLICATE_COMPOSITE_KEY,
    "23514": AnomalyKind.OUT_OF_RANGE,
    "23P01": AnomalyKind.DUPLICATE_COMPOSITE_KEY,
}
"""What a row that only PostgreSQL itself refuses is called, by SQLSTATE; `invalid_value` else."""


@dataclass(frozen=True, slots=True)
class Input:
    """A candidate column read as a type.

    Attributes:
        number: Tells inputs apart in SQL names.
        source: The column as it came.
        type: What it is read as.
    """

    number: int
    source: Column
    type: Column

    @property
    def is_checked(self) -> bool:
        """Whether some value of the source type cannot be read as the wanted one."""
        have, want = self.source.type_name, self.type.type_name
        return have != want and want not in _WIDER.get(have.partition("(")[0], ())

    @property
    def value(self) -> sql.Identifier:
        """SQL name of the value read; null when there was none, or it could not be read."""
        return sql.Identifier(f"windlass value {self.number}")

    @property
    def raw(self) -> sql.Identifier:
        """SQL name of the value as it came, for inputs that are checked."""
        return sql.Identifier(f"windlass raw {self.number}")

    @property
    def is_null(self) -> sql.Composed:
        """SQL of whether there was no value."""
        return sql.SQL("{} is null").format(self.raw if self.is_checked else self.value)

    @property
    def is_bad(self) -> sql.Composed:
        """SQL of whether there was one that could not be read."""
        return sql.SQL("{} is null and {} is not null").format(self.value, self.raw)

    @property
    def is_number(self) -> sql.Composed:
        """SQL of whether what could not be read is a number nevertheless, if too large."""
        number = sql.SQL("{}::numeric").format(self.raw)
        test = sql.SQL("{0} <> 'NaN' and trunc({0}) = {0}" if self.wants_integer else "{0} <> 'NaN'").format(
            number
        )
        return sql.SQL("case when ops.is_valid_input({}, 'numeric') then {} else false end").format(
            self.raw, test
        )

    @property
    def wants_number(self) -> bool:
        """Whether it is read as a number."""
        return self.type.category == "N"

    @property
    def wants_integer(self) -> bool:
        """Whether it is read as a whole number."""
        return self.type.type_name in _INTEGERS


class Inputs:
    """The inputs of a plan, each column and type once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._found: dict[tuple[str, str], Input] = {}
        self.direct = {column.name: self._input(column.name, column) for column in plan.direct}
        self.lookups = {
            item.target.name: [self._input(name, kind) for name, kind in _lookup_inputs(item)]
            for item in plan.lookups
        }

    def _input(self, name: str, kind: Column) -> Input:
        source = self._plan.candidate.columns[name]
        return self._found.setdefault((name, kind.type_name), Input(len(self._found), source, kind))

    def __iter__(self) -> Iterator[Input]:
        return iter(self._found.values())


def _lookup_inputs(item: PlannedLookup) -> Iterator[tuple[str, Column]]:
    for theirs, ours in item.lookup.on.items():
        yield ours, item.table.columns[theirs]
    if item.lookup.valid_at:
        yield item.lookup.valid_at, item.table.columns["valid_from"]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules of a publish; a rule's number is its place in `rules`.

    Attributes:
        rules: Those a row is judged by alone come first, in `Plan` order of columns.
        taken: For each unique index the rule "a row of the target has it".
        repeated: For each unique index the rule "an earlier row has it".
        orphaned: For each foreign key into the target itself its rule.
        refused: For each kind of refusal by PostgreSQL its rule.
    """

    rules: tuple[Rule, ...]
    taken: dict[str, int]
    repeated: dict[str, int]
    orphaned: dict[str, int]
    refused: dict[AnomalyKind, int]


def make_rules(plan: Plan, inputs: Inputs) -> RuleBook:
    """Derive all rules from a plan."""
    rules = [
        *_input_rules(plan, inputs),
        *_lookup_rules(plan, inputs),
        *_key_rules(plan),
        *_foreign_key_rules(plan),
    ]
    guards = list(rules)
    rules += [
        _check_rule(plan, check, guards) for check in plan.constraints.checks if _auditable(plan, check)
    ]
    taken, repeated, orphaned, refused = dict[str, int](), dict[str, int](), dict[str, int](), {}
    for unique in plan.uniques:
        kind, column = _duplicate(plan, unique)
        shown = ", ".join(unique.keys)
        taken[unique.name] = len(rules)
        rules.append(Rule(kind, column, f"another row of {plan.target} has the same {shown} ({unique.name})"))
        repeated[unique.name] = len(rules)
        rules.append(Rule(kind, column, f"a row that arrived earlier has the same {shown} ({unique.name})"))
    for fk in plan.self_references:
        orphaned[fk.name] = len(rules)
        columns = ",".join(fk.columns)
        rules.append(
            Rule(AnomalyKind.ORPHAN, columns, f"no row of {plan.target} has the {columns} it refers to")
        )
    for kind in sorted({*REFUSALS.values(), AnomalyKind.INVALID_VALUE}):
        refused[kind] = len(rules)
        rules.append(Rule(kind, plan.row_key, "PostgreSQL refuses the row"))
    return RuleBook(tuple(rules), taken, repeated, orphaned, refused)


def _input_rules(plan: Plan, inputs: Inputs) -> Iterator[Rule]:
    for column in plan.direct:
        item = inputs.direct[column.name]
        yield from _reading_rules(item)
        if column.not_null or column.name in plan.key:
            yield _null_rule(item, f"{plan.target}.{column.name}")


def _lookup_rules(plan: Plan, inputs: Inputs) -> Iterator[Rule]:
    for number, planned in enumerate(plan.lookups):
        items = inputs.lookups[planned.target.name]
        for item in items:
            yield from _reading_rules(item)
            if planned.target.not_null or planned.target.name in plan.key:
                yield _null_rule(item, f"{plan.target}.{planned.target.name}")
        columns = list(planned.lookup.on.values())
        when = " at its time" if planned.lookup.valid_at else ""
        yield Rule(
            AnomalyKind.ORPHAN,
            ",".join(columns),
            f"{planned.table} has no row for {{value}}{when}",
            columns[0],
            sql.SQL("{} is null and {}").format(
                sql.Identifier(f"windlass found {number}"),
                sql.SQL(" and ").join(sql.SQL("{} is not null").format(item.value) for item in items),
            ),
        )
        if planned.target.not_null:
            yield Rule(
                AnomalyKind.NULL,
                ",".join(columns),
                f"{planned.table}.{planned.lookup.column} is null for {{value}}",
                columns[0],
                sql.SQL("{} is not null and {} is null").format(
                    sql.Identifier(f"windlass found {number}"), sql.Identifier(planned.target.name)
                ),
            )


def _reading_rules(item: Input) -> Iterator[Rule]:
    if not item.is_checked:
        return
    name, kind = item.source.name, item.type.type_name
    if not item.wants_number:
        yield Rule(AnomalyKind.INVALID_VALUE, name, f"{{value}} is not a {kind}", name, item.is_bad)
        return
    yield Rule(
        AnomalyKind.NOT_A_NUMBER,
        name,
        f"{{value}} is not a number of type {kind}",
        name,
        sql.SQL("{} and not ({})").format(item.is_bad, item.is_number),
    )
    yield Rule(
        AnomalyKind.OUT_OF_RANGE,
        name,
        f"{{value}} does not fit the type {kind}",
        name,
        sql.SQL("{} and {}").format(item.is_bad, item.is_number),
    )


def _null_rule(item: Input, needed_by: str) -> Rule:
    name = item.source.name
    return Rule(AnomalyKind.NULL, name, f"it is null, and {needed_by} needs it", None, item.is_null)


def _key_rules(plan: Plan) -> Iterator[Rule]:
    # A row without its key would be inserted again at every publish.
    for planned in plan.lookups:
        if planned.target.name in plan.key and not planned.target.not_null:
            name = sql.Identifier(planned.target.name)
            yield Rule(
                AnomalyKind.NULL,
                planned.target.name,
                "the key is null",
                None,
                sql.SQL("{} is null").format(name),
            )


def _foreign_key_rules(plan: Plan) -> Iterator[Rule]:
    for number, fk in enumerate(plan.foreign_keys):
        columns = ",".join(fk.columns)
        names = [sql.Identifier(name) for name in fk.columns]
        all_there = sql.SQL(" and ").join(sql.SQL("{} is not null").format(name) for name in names)
        yield Rule(
            AnomalyKind.ORPHAN,
            columns,
            f"{fk.table} has no row for {{value}} ({fk.name})",
            _shown(plan, fk.columns),
            sql.SQL("{} is null and {}").format(sql.Identifier(f"windlass parent {number}"), all_there),
        )
        if fk.match_full and len(names) > 1:
            any_there = sql.SQL(" or ").join(sql.SQL("{} is not null").format(name) for name in names)
            yield Rule(
                AnomalyKind.NULL,
                columns,
                f"{fk.name} allows no key that is null in part",
                None,
                sql.SQL("({}) and not ({})").format(any_there, all_there),
            )


def _auditable(plan: Plan, check: Check) -> bool:
    return plan.known.issuperset(check.columns)


def _check_rule(plan: Plan, check: Check, guards: list[Rule]) -> Rule:
    """The rule of a check; it says nothing of a column that another rule has found bad already."""
    sources = {name for column in check.columns for name in _sources(plan, column)}
    spared = [rule.condition for rule in guards if rule.condition and sources & set(rule.column.split(","))]
    condition: sql.Composable = sql.SQL("({}) is false").format(sql.SQL(check.expression))
    if spared:
        condition = sql.SQL("({} and ({}) is not true)").format(
            condition, sql.SQL(" or ").join(sql.SQL("({})").format(item) for item in spared)
        )
    return Rule(
        AnomalyKind.UNKNOWN_VALUE if _MEMBERSHIP.search(check.expression) else AnomalyKind.OUT_OF_RANGE,
        ",".join(check.columns) or plan.row_key,
        f"{{value}} breaks {check.name}: {check.definition}",
        _shown(plan, check.columns),
        condition,
    )


def _sources(plan: Plan, column: str) -> set[str]:
    """The candidate columns that a target column is made of."""
    for planned in plan.lookups:
        if planned.target.name == column:
            return {column, *planned.lookup.inputs}
    return {column}


def _shown(plan: Plan, columns: tuple[str, ...]) -> str | None:
    return columns[0] if len(columns) == 1 and columns[0] in plan.candidate.columns else None


def _duplicate(plan: Plan, unique: Unique) -> tuple[AnomalyKind, str]:
    if unique is plan.key_unique or unique.name == plan.key_unique.name:
        return AnomalyKind.DUPLICATE_KEY, plan.row_key
    labels = [column or key for column, key in zip(unique.columns, unique.keys, strict=True)]
    rest = [label for label in labels if label not in plan.key] or labels
    kind = AnomalyKind.DUPLICATE_COMPOSITE_KEY if len(rest) > 1 else AnomalyKind.DUPLICATE_KEY
    return kind, ",".join(rest)
