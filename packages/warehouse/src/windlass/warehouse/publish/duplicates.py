"""Of rows that claim the same place, the first good arrival gets it: over all unique constraints at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.load.table import PgConnection
from windlass.warehouse.publish.audit import AUDIT, GOOD, ORD, PROBLEM, UniqueColumns, unique_columns
from windlass.warehouse.publish.catalog import ForeignKey
from windlass.warehouse.publish.plan import Plan
from windlass.warehouse.publish.rules import RuleBook

__all__ = ["find_taken", "good_rows", "mark_bad", "resolve_duplicates"]

_AND = sql.SQL(" and ")


def find_taken(connection: PgConnection, plan: Plan, book: RuleBook) -> None:
    """Note the rows whose place is held by another row that is in the target already.

    Even when this publish would move the other row away: PostgreSQL checks row by row, in no order to
    rely on.
    """
    for place in unique_columns(plan):
        if place.unique.name == plan.key_unique.name:
            continue
        rule = book.taken[place.unique.name]
        own = _AND.join(
            sql.SQL("a.{} = windlass_held.{}").format(
                sql.Identifier(name), sql.Identifier(f"windlass key {number}")
            )
            for number, name in enumerate(plan.key)
        )
        done = connection.execute(
            sql.SQL(
                "insert into {problem} select a.{ord}, {rule} from {audit} as a join {held} as windlass_held "
                "on {same} where {applies} and ({own}) is not true"
            ).format(
                problem=PROBLEM,
                ord=ORD,
                rule=rule,
                audit=AUDIT,
                held=_held(plan, place),
                same=_same(place, "windlass_held", "windlass held"),
                applies=_applies(place, "a."),
                own=own,
            )
        )
        if done.rowcount:
            mark_bad(connection, rule)


def mark_bad(connection: PgConnection, rule: int) -> None:
    """Make the rows that were noted for a rule bad for good."""
    connection.execute(
        sql.SQL(
            "update {audit} as a set {good} = false from (select distinct {ord} from {problem} where "
            "rule = {rule}) p "
            "where a.{ord} = p.{ord} and a.{good}"
        ).format(audit=AUDIT, good=GOOD, ord=ORD, problem=PROBLEM, rule=rule)
    )


def _held(plan: Plan, place: UniqueColumns) -> sql.Composed:
    """The target's rows with the keys of one unique index and of the upsert."""
    columns = [
        sql.SQL("({}) as {}").format(sql.SQL(key), sql.Identifier(f"windlass held {number}"))
        for number, key in enumerate(place.unique.keys)
    ]
    columns += [
        sql.SQL("{} as {}").format(sql.Identifier(name), sql.Identifier(f"windlass key {number}"))
        for number, name in enumerate(plan.key)
    ]
    predicate = sql.SQL(place.unique.predicate or "true")
    return sql.SQL("(select {} from {} where {})").format(
        sql.SQL(", ").join(columns), plan.target.name.identifier, predicate
    )


def _same(place: UniqueColumns, other: str, prefix: str) -> sql.Composed:
    equal = "is not distinct from" if place.unique.nulls_equal else "="
    return _AND.join(
        sql.SQL(f"a.{{}} {equal} {{}}.{{}}").format(
            key, sql.Identifier(other), sql.Identifier(f"{prefix} {number}")
        )
        for number, key in enumerate(place.keys)
    )


def _applies(place: UniqueColumns, prefix: str) -> sql.Composable:
    """The condition under which a row takes part: null keys claim nothing unless nulls are equal."""
    tests = (
        []
        if place.unique.nulls_equal
        else [sql.SQL(f"{prefix}{{}} is not null").format(key) for key in place.keys]
    )
    if place.applies is not None:
        tests.append(sql.SQL(f"{prefix}{{}}").format(place.applies))
    return _AND.join(tests) if tests else sql.SQL("true")


def resolve_duplicates(connection: PgConnection, plan: Plan, book: RuleBook) -> None:
    """Decide who keeps a contested place, and note the others.

    Rows are taken in order of arrival: a good row keeps its places if all are free, otherwise it is
    bad. Where
    the target refers to itself, rows whose parent turned out bad become bad as well, and all is decided anew.
    """
    while True:
        _note_losers(connection, book, _losers(_contested(connection, plan), plan))
        orphaned = [
            rule for fk, rule in _by_self_reference(plan, book) if _note_orphans(connection, plan, fk, rule)
        ]
        if not orphaned:
            return
        for rule in orphaned:
            mark_bad(connection, rule)


def _by_self_reference(plan: Plan, book: RuleBook) -> Iterator[tuple[ForeignKey, int]]:
    return ((fk, book.orphaned[fk.name]) for fk in plan.self_references)


def _contested(connection: PgConnection, plan: Plan) -> list[tuple[int, str, int, bool]]:
    """Rows that share a place: position, unique index, group, whether good; in order of arrival."""
    found: list[tuple[int, str, int, bool]] = []
    with connection.cursor(row_factory=tuple_row) as cursor:
        for place in unique_columns(plan):
            cursor.execute(_groups(place))
            found += ((ord_, place.unique.name, group, good) for ord_, group, good in cursor)
    return sorted(found)


def _groups(place: UniqueColumns) -> sql.Composed:
    keys = sql.SQL(", ").join(place.keys)
    if place.unique.nulls_equal:
        # A window, for no hash join can compare by "is not distinct from".
        return sql.SQL(
            "select {ord}, first, {good} from (select {ord}, min({ord}) over same as first, {good}, "
            "count(*) over same as rows from {audit} "
            "where {applies} window same as (partition by {keys})) as windlass_row where rows > 1"
        ).format(ord=ORD, good=GOOD, audit=AUDIT, applies=_applies(place, ""), keys=keys)
    return sql.SQL(
        "with windlass_group as materialized (select {named}, min({ord}) as windlass_first from {audit} "
        "where {applies} group by {keys} having count(*) > 1) "
        "select a.{ord}, windlass_first, a.{good} from {audit} as a join windlass_group on {same} where "
        "{applies_a}"
    ).format(
        named=sql.SQL(", ").join(
            sql.SQL("{} as {}").format(key, sql.Identifier(f"windlass held {number}"))
            for number, key in enumerate(place.keys)
        ),
        ord=ORD,
        good=GOOD,
        audit=AUDIT,
        applies=_applies(place, ""),
        applies_a=_applies(place, "a."),
        keys=keys,
        same=_same(place, "windlass_group", "windlass held"),
    )


def _losers(contested: Iterable[tuple[int, str, int, bool]], plan: Plan) -> Iterator[tuple[int, str]]:
    """The later claims: position and unique index.

    A copy of the row that holds its key is told once, by the key.
    """
    holders: dict[str, dict[int, int]] = defaultdict(dict)
    own = plan.key_unique.name
    for ord_, rows in groupby(contested, key=itemgetter(0)):
        claims = list(rows)
        lost = {name: holders[name][group] for _, name, group, _ in claims if group in holders[name]}
        original = lost.get(own)
        yield from ((ord_, name) for name, holder in lost.items() if name == own or holder != original)
        if claims[0][3] and not lost:
            for _, name, group, _ in claims:
                holders[name][group] = ord_


def _note_losers(connection: PgConnection, book: RuleBook, losers: Iterator[tuple[int, str]]) -> None:
    rules = list(book.repeated.values())
    connection.execute(sql.SQL("delete from {} where rule = any (%s)").format(PROBLEM), [rules])
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy {} ({}, rule) from stdin (format binary)").format(PROBLEM, ORD)) as copy,
    ):
        copy.set_types(["int8", "int4"])
        for ord_, name in losers:
            copy.write_row((ord_, book.repeated[name]))


def good_rows(alias: str) -> sql.Composed:
    """The condition for rows without any problem, those found across rows included."""
    return sql.SQL("{0}.{1} and not exists (select from {2} as p where p.{3} = {0}.{3})").format(
        sql.Identifier(alias), GOOD, PROBLEM, ORD
    )


def _note_orphans(connection: PgConnection, plan: Plan, fk: ForeignKey, rule: int) -> bool:
    """Note good rows whose parent is neither in the target nor among the good; whether there were any."""

    def matches(other: str) -> sql.Composed:
        return _AND.join(
            sql.SQL("{}.{} = a.{}").format(
                sql.Identifier(other), sql.Identifier(theirs), sql.Identifier(ours)
            )
            for ours, theirs in zip(fk.columns, fk.references, strict=True)
        )

    among: sql.Composable = sql.SQL("false")
    if plan.known.issuperset(fk.references):
        among = sql.SQL("exists (select from {} as b where {} and {})").format(
            AUDIT, matches("b"), good_rows("b")
        )
    done = connection.execute(
        sql.SQL(
            "insert into {problem} select a.{ord}, {rule} from {audit} as a where {good} and {there} "
            "and not exists (select from {target} as t where {in_target}) and not {among}"
        ).format(
            problem=PROBLEM,
            ord=ORD,
            rule=rule,
            audit=AUDIT,
            good=good_rows("a"),
            there=_AND.join(sql.SQL("a.{} is not null").format(sql.Identifier(name)) for name in fk.columns),
            target=plan.target.name.identifier,
            in_target=matches("t"),
            among=among,
        )
    )
    return done.rowcount > 0
