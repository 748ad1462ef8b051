"""Tables as the catalog describes them, so that loads need no second description of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from windlass.warehouse.errors import TableError

__all__ = [
    "Column",
    "PgConnection",
    "Table",
    "TableName",
    "describe_table",
    "doubled",
    "names",
    "parse_table_name",
]

PgConnection: TypeAlias = psycopg.Connection[Any]

_PART = r'(?:"(?:[^"]|"")+"|[^".]+)'
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_NAME = re.compile(rf"(?:({_PART})\.)?({_PART})")

_COLUMNS = """
select
    a.attnum,
    a.attname,
    a.atttypid,
    format_type(a.atttypid, a.atttypmod),
    t.typcategory,
    a.attnotnull,
    a.attidentity,
    a.attgenerated,
    pg_get_expr(d.adbin, d.adrelid),
    case when a.attcollation <> t.typcollation then c.collnamespace::regnamespace::text end,
    case when a.attcollation <> t.typcollation then c.collname end,
    t.typtype = 'e' or exists (
        select from pg_opclass as o join pg_am as m on m.oid = o.opcmethod
        where o.opcintype = coalesce(nullif(t.typbasetype, 0), t.oid) and o.opcdefault
        -- Only these methods' classes come with an equality; a point has classes of gist and spgist.
        and m.amname in ('btree', 'hash')
    )
from pg_attribute as a
join pg_type as t on t.oid = a.atttypid
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_collation as c on c.oid = a.attcollation
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name, maybe with its schema.

    Attributes:
        schema: Schema, or None to look along the search path.
        name: Name as the catalog holds it.
    """

    schema: str | None
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name for composed SQL."""
        return sql.Identifier(self.name) if self.schema is None else sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        number: Its attribute number.
        name: Its name.
        type_oid: Its type.
        type_name: Its type as SQL, with modifiers, e.g. `numeric(12,2)`.
        category: PostgreSQL's category of the type, e.g. `N` for numbers, `S` for text.
        not_null: Whether it refuses null.
        identity: `a` (always), `d` (by default) or empty.
        generated: `s` (stored), `v` (virtual) or empty.
        expression: SQL of its default or generation expression, if it has one.
        collation: Schema and name of its collation when it is not its type's.
        comparable: Whether its type has an equality; others are compared as text.
    """

    number: int
    name: str
    type_oid: int
    type_name: str
    category: str
    not_null: bool
    identity: str
    generated: str
    expression: str | None
    collation: tuple[str, str] | None
    comparable: bool

    @property
    def is_filled_by_table(self) -> bool:
        """Whether the table gives it a value of its own when a row brings none."""
        return bool(self.identity or self.generated or self.expression)

    @property
    def is_writable(self) -> bool:
        """Whether a row may bring a value for it."""
        return not self.generated and self.identity != "a"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the catalog.

    Attributes:
        name: Its schema and name, schema always given.
        oid: Its object id.
        kind: `r` (table), `p` (partitioned table), `v` (view), ...
        columns: Its columns in order, by name.
    """

    name: TableName
    oid: int
    kind: str
    columns: dict[str, Column]

    def __str__(self) -> str:
        return str(self.name)

    @property
    def ledger_name(self) -> str:
        """How `ops.loaded_file` names it: quoted where needed, so that no two tables share a name."""
        return ".".join(
            part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"'
            for part in (self.name.schema or "public", self.name.name)
        )


def parse_table_name(text: str) -> TableName:
    """Read `name`, `schema.name` or quoted forms such as `"my schema"."Order"`.

    Unquoted parts are taken as they stand, letter for letter, so `staging.Sale` names the table "Sale".

    Raises:
        TableError: The text is not such a name.
    """
    match = _NAME.fullmatch(text.strip())
    if match is None or "\0" in text:
        raise TableError(
            f"{text!r} is not a table's name.",
            table=text,
            advice='Write schema.name; quote parts that hold a dot: "my.schema".name',
        )
    schema, name = (_unquoted(part) for part in match.groups())
    assert name is not None
    return TableName(schema, name)


def _unquoted(part: str | None) -> str | None:
    if part is None or not part.startswith('"'):
        return part
    return part[1:-1].replace('""', '"')


def describe_table(connection: PgConnection, text: str) -> Table:
    """Look a table up.

    Args:
        connection: Connection to the database.
        text: Its name as a user wrote it, see `parse_table_name`.

    Raises:
        TableError: There is no such table.
    """
    wanted = parse_table_name(text)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "select c.oid, c.relkind::text, n.nspname, c.relname from pg_class c "
            "join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass(%s)",
            [wanted.identifier.as_string(connection)],
        )
        found = cursor.fetchone()
        if found is None:
            raise TableError(
                f"There is no table {wanted} in database {connection.info.dbname!r}, or no right to see it.",
                table=text,
                advice="Check the name and that the database is migrated: windlass-warehouse status",
            )
        oid, kind, schema, name = found
        cursor.execute(_COLUMNS, [oid])
        columns = {row[1]: _column(row) for row in cursor}
    return Table(TableName(schema, name), oid, kind, columns)


def _column(row: tuple[Any, ...]) -> Column:
    *plain, collation_schema, collation, comparable = row
    fields = [*plain, (collation_schema, collation) if collation else None, comparable]
    return Column(*fields)


def names(columns: Iterable[str]) -> sql.Composed:
    """Column names as a comma-separated list of identifiers."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def doubled(text: sql.Composable, connection: PgConnection) -> sql.SQL:
    """SQL with every % doubled, for statements with bound parameters: names may hold one."""
    return sql.SQL(text.as_string(connection).replace("%", "%%"))
