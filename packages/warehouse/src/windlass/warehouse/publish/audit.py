"""The audit: one pass over the candidates that reads, looks up and judges every row.

Each step is a subquery over the one before. `offset 0` keeps the planner from merging them, which would
evaluate every cast once for each rule that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from windlass.warehouse.load.table import Column
from windlass.warehouse.publish.catalog import Unique
from windlass.warehouse.publish.plan import Plan
from windlass.warehouse.publish.rules import Input, Inputs, RuleBook

__all__ = [
    "AUDIT",
    "CANDIDATE",
    "FAILED",
    "GOOD",
    "ORD",
    "PROBLEM",
    "UniqueColumns",
    "audit_query",
    "positions",
    "unique_columns",
]

CANDIDATE = sql.Identifier("pg_temp", "windlass_candidate")
AUDIT = sql.Identifier("pg_temp", "windlass_audit")
PROBLEM = sql.Identifier("pg_temp", "windlass_problem")
ORD = sql.Identifier("windlass ord")
GOOD = sql.Identifier("windlass good")
FAILED = sql.Identifier("windlass failed")
_COMMA = sql.SQL(", ")


@dataclass(frozen=True, slots=True)
class UniqueColumns:
    """Where the audit's table keeps the keys of a unique index.

    Attributes:
        keys: Column names, one for each key.
        applies: Column name of the partial index's condition, if it has one.
    """

    unique: Unique
    keys: tuple[sql.Identifier, ...]
    applies: sql.Identifier | None


def unique_columns(plan: Plan) -> tuple[UniqueColumns, ...]:
    """The unique indexes with their places in the audit's table."""
    return tuple(
        UniqueColumns(
            unique,
            tuple(
                sql.Identifier(column or f"windlass key {number} {place}")
                for place, column in enumerate(unique.columns)
            ),
            sql.Identifier(f"windlass applies {number}") if unique.predicate else None,
        )
        for number, unique in enumerate(plan.uniques)
    )


def positions(first: int, last: int, *, rows: int) -> sql.Composable:
    """The condition for a range of positions; for all of them none, lest the planner take them for few."""
    if (first, last) == (1, rows):
        return sql.SQL("true")
    return sql.SQL("{} between {} and {}").format(ORD, first, last)


def audit_query(plan: Plan, inputs: Inputs, book: RuleBook, *, within: sql.Composable) -> sql.Composed:
    """The query that judges the candidates that fulfil a condition.

    Its columns: the row's position, whether it is good, the numbers of the rules it breaks (null for
    good rows),
    and the target's columns as far as they are known.
    """
    step = _typed(inputs, within)
    step = _looked_up(_fenced(step), plan, inputs)
    step = _with_parents(step, plan)
    if plan.omitted:
        step = _with_omitted(step, plan)
    if plan.derived:
        step = _with_derived(step, plan)
    return _judged(step, plan, book)


def _select(columns: Iterable[sql.Composable], source: sql.Composable) -> sql.Composed:
    return sql.SQL("select {} from {}").format(_COMMA.join(columns), source)


def _row(step: sql.Composable) -> sql.Composed:
    return sql.SQL("({}) as windlass_row").format(step)


def _fenced(step: sql.Composable) -> sql.Composed:
    return sql.SQL("({} offset 0) as windlass_row").format(step)


def _type(column: Column) -> sql.SQL:
    # The catalog's own spelling of the type, quoted by format_type where that is needed.
    return sql.SQL(column.type_name)


def _typed(inputs: Inputs, within: sql.Composable) -> sql.Composed:
    columns: list[sql.Composable] = [ORD]
    for item in inputs:
        source = sql.Identifier(item.source.name)
        if not item.is_checked:
            columns.append(sql.SQL("{} as {}").format(_cast(source, item), item.value))
            continue
        raw = sql.SQL("{}::text").format(source)
        columns.append(sql.SQL("{} as {}").format(raw, item.raw))
        columns.append(
            sql.SQL("case when ops.is_valid_input({}, {}) then {} end as {}").format(
                raw, sql.Literal(item.type.type_name), _cast(raw, item), item.value
            )
        )
    return _select(columns, sql.SQL("{} where {}").format(CANDIDATE, within))


def _cast(value: sql.Composable, item: Input) -> sql.Composable:
    cast = sql.SQL("({})::{}").format(value, _type(item.type))
    if item.type.collation is None:
        return cast
    return sql.SQL("{} collate {}").format(cast, sql.Identifier(*item.type.collation))


def _looked_up(source: sql.Composed, plan: Plan, inputs: Inputs) -> sql.Composed:
    columns: list[sql.Composable] = [sql.SQL("windlass_row.*")]
    columns += [
        sql.SQL("windlass_row.{} as {}").format(inputs.direct[column.name].value, sql.Identifier(column.name))
        for column in plan.direct
    ]
    for number, planned in enumerate(plan.lookups):
        alias = sql.Identifier(f"windlass lookup {number}")
        lookup, items = planned.lookup, inputs.lookups[planned.target.name]
        conditions = [
            sql.SQL("{}.{} = windlass_row.{}").format(alias, sql.Identifier(theirs), item.value)
            for theirs, item in zip(lookup.on, items, strict=False)
        ]
        if lookup.valid_at:
            conditions.append(
                sql.SQL("{0}.valid_from <= windlass_row.{1} and windlass_row.{1} < {0}.valid_to").format(
                    alias, items[-1].value
                )
            )
        source = sql.SQL("{} left join {} as {} on {}").format(
            source, planned.table.name.identifier, alias, sql.SQL(" and ").join(conditions)
        )
        value = sql.SQL("{}.{}::{}").format(alias, sql.Identifier(lookup.column), _type(planned.target))
        columns.append(sql.SQL("{} as {}").format(value, sql.Identifier(planned.target.name)))
        columns.append(
            sql.SQL("{}.{} as {}").format(
                alias, sql.Identifier(next(iter(lookup.on))), sql.Identifier(f"windlass found {number}")
            )
        )
    return _select(columns, source)


def _with_parents(step: sql.Composed, plan: Plan) -> sql.Composed:
    if not plan.foreign_keys:
        return step
    columns: list[sql.Composable] = [sql.SQL("windlass_row.*")]
    source = _row(step)
    for number, fk in enumerate(plan.foreign_keys):
        alias = sql.Identifier(f"windlass parent {number}")
        on = [
            sql.SQL("{}.{} = windlass_row.{}").format(alias, sql.Identifier(theirs), sql.Identifier(ours))
            for ours, theirs in zip(fk.columns, fk.references, strict=True)
        ]
        source = sql.SQL("{} left join {} as {} on {}").format(
            source, fk.table.identifier, alias, sql.SQL(" and ").join(on)
        )
        columns.append(sql.SQL("{}.{} as {}").format(alias, sql.Identifier(fk.references[0]), alias))
    return _select(columns, source)


def _with_omitted(step: sql.Composed, plan: Plan) -> sql.Composed:
    """Columns the query leaves out: what the row in the target has, else the default."""
    columns: list[sql.Composable] = [sql.SQL("windlass_row.*")]
    first = sql.SQL("windlass_target.{}").format(sql.Identifier(plan.key[0]))
    for column in plan.omitted:
        default = sql.SQL(column.expression or "null")
        columns.append(
            sql.SQL("case when {} is not null then windlass_target.{} else ({})::{} end as {}").format(
                first, sql.Identifier(column.name), default, _type(column), sql.Identifier(column.name)
            )
        )
    on = sql.SQL(" and ").join(
        sql.SQL("windlass_target.{0} = windlass_row.{0}").format(sql.Identifier(name)) for name in plan.key
    )
    source = sql.SQL("{} left join {} as windlass_target on {}").format(
        _row(step), plan.target.name.identifier, on
    )
    return _select(columns, source)


def _with_derived(step: sql.Composed, plan: Plan) -> sql.Composed:
    columns: list[sql.Composable] = [sql.SQL("windlass_row.*")]
    for column in plan.derived:
        expression = sql.SQL(column.expression or "null")
        columns.append(
            sql.SQL("({})::{} as {}").format(expression, _type(column), sql.Identifier(column.name))
        )
    return _select(columns, _fenced(step))


def _judged(step: sql.Composed, plan: Plan, book: RuleBook) -> sql.Composed:
    known = [*plan.written, *plan.omitted, *plan.derived]
    carried = [ORD, *(sql.Identifier(column.name) for column in known)]
    extra: list[sql.Identifier] = []
    columns: list[sql.Composable] = list(carried)
    for place in unique_columns(plan):
        for key, name, column in zip(place.unique.keys, place.keys, place.unique.columns, strict=True):
            if column is None:
                extra.append(name)
                columns.append(sql.SQL("({}) as {}").format(_catalog_sql(key), name))
        if place.applies is not None and place.unique.predicate is not None:
            extra.append(place.applies)
            columns.append(sql.SQL("({}) as {}").format(_catalog_sql(place.unique.predicate), place.applies))
    flags = {
        number: sql.Identifier(f"windlass rule {number}")
        for number, rule in enumerate(book.rules)
        if rule.condition is not None
    }
    columns += [
        sql.SQL("{} as {}").format(book.rules[number].condition, flag) for number, flag in flags.items()
    ]
    return _select([*carried, *extra, *_verdict(flags)], _fenced(_select(columns, _fenced(step))))


def _verdict(flags: dict[int, sql.Identifier]) -> Sequence[sql.Composable]:
    if not flags:
        return [sql.SQL("true as {}").format(GOOD), sql.SQL("null::integer[] as {}").format(FAILED)]
    any_failed = sql.SQL(" or ").join(flags.values())
    failed = _COMMA.join(
        sql.SQL("case when {} then {} end").format(flag, number) for number, flag in flags.items()
    )
    return [
        sql.SQL("({}) is not true as {}").format(any_failed, GOOD),
        sql.SQL("case when {} then array_remove(array[{}], null) end as {}").format(
            any_failed, failed, FAILED
        ),
    ]


def _catalog_sql(expression: str) -> sql.SQL:
    return sql.SQL(expression)
