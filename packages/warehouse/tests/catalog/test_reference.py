"""The live catalog explained: as page, diagram and picture, whatever the names and comments hold."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from windlass.warehouse.catalog import read_objects
from windlass.warehouse.catalog.markdown import markdown
from windlass.warehouse.catalog.mermaid import mermaid
from windlass.warehouse.catalog.svg import svg
from windlass.warehouse.catalog.tables import Reference, read_schemas
from windlass.warehouse.errors import TableError

pytestmark = pytest.mark.integration

SHOP = """
create schema "Odd & <shop>";
comment on schema "Odd & <shop>" is 'A | B <script> `c` * "d"';
set search_path = "Odd & <shop>";
create table customer (
    id bigint generated always as identity primary key,
    "e mail" character varying(40) unique,
    score numeric(5, 2) default 1.5 check (score > 0 or score is null)
);
comment on column customer."e mail" is 'Where a | letter
goes to; "quoted" <b>';
create table "order" (
    no bigint, part smallint, customer_id bigint not null references customer,
    parent_no bigint, parent_part smallint,
    doubled bigint generated always as (no * 2) stored,
    placed timestamp without time zone not null default now(),
    primary key (no, part),
    unique (customer_id, placed),
    foreign key (parent_no, parent_part) references "order" (no, part)
);
create table badge (customer_id bigint primary key references customer, note text);
create table line (
    order_no bigint not null, order_part smallint not null, customer_id bigint references customer,
    foreign key (order_no, order_part) references "order") partition by range (order_no);
create table line_1 partition of line for values from (1) to (9);
create view names as select "e mail" from customer;
create table far (calendar_day date references source.calendar);
create table empty ();
"""


@pytest.fixture(scope="module")
def shop(warehouse_server, warehouse_template):
    """A database with a schema in which all that is awkward is in use."""
    with warehouse_server.database(template=warehouse_template) as database:
        with database.connect() as connection:
            connection.execute(SHOP)
        with database.connect() as connection:
            yield connection


@pytest.fixture(scope="module")
def tables(shop):
    """The tables of that schema by name."""
    (schema,) = read_schemas(shop, names=["Odd & <shop>"])
    return {table.name: table for table in schema.tables}


class TestReading:
    def test_tables_are_read_with_keys_and_references(self, tables):
        assert [*tables] == ["badge", "customer", "empty", "far", "line", "names", "order"]
        order = tables["order"]
        assert order.primary_key == ("no", "part")
        assert order.unique == (("customer_id", "placed"),)
        assert (
            Reference(("parent_no", "parent_part"), order.schema, "order", ("no", "part")) in order.references
        )
        columns = {column.name: column for column in order.columns}
        assert columns["doubled"].generated == "(no * 2)"
        assert columns["placed"].default == "now()"
        assert tables["customer"].columns[0].is_identity
        assert tables["customer"].checks == ("CHECK (((score > (0)::numeric) OR (score IS NULL)))",)
        assert [tables[name].kind for name in ("names", "line")] == ["view", "table"]

    def test_all_schemas_are_read_unless_some_are_named(self, shop):
        assert [each.name for each in read_schemas(shop)] == [
            "Odd & <shop>",
            "ops",
            "source",
            "staging",
            "warehouse",
        ]

    def test_an_unknown_schema_is_named(self, shop):
        with pytest.raises(TableError, match=r"There is no schema nowhere\."):
            read_schemas(shop, names=["ops", "nowhere"])

    def test_reading_objects_leaves_the_caller_s_search_path(self, shop):
        with shop.transaction():
            shop.execute("set local search_path = ops")
            read_objects(shop)
            assert shop.execute("show search_path").fetchone() == ("ops",)


class TestMarkdown:
    def test_every_row_has_as_many_cells_as_its_head(self, shop):
        page = markdown(read_schemas(shop))
        for block in re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE):
            counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(counts) == 1, block

    def test_what_a_comment_holds_cannot_change_the_page(self, shop):
        page = markdown(read_schemas(shop, names=["Odd & <shop>"]))
        assert "<script>" not in re.sub(r"\\<script>", "", page)
        assert 'Where a \\| letter goes to; "quoted" \\<b>' in page

    def test_keys_rules_and_references_are_told(self, shop):
        page = markdown(read_schemas(shop, names=["warehouse", "source"]))
        assert "| `date_key` | `integer` | FK |  |  | Day of the sale. |" in page
        assert "- `date_key` refers to `date_key` of [warehouse.dim_date](#warehousedim_date)." in page
        assert "- Referred to by [warehouse.fact_sales](#warehousefact_sales)." in page
        assert "- Primary key: `sale_source, sale_id`." in page
        assert "- Unique: `sale_source, store_code, receipt_number, line_number`." in page
        assert "always `((quantity)::numeric * unit_price)`" in page
        assert "| `customer_key` | `bigint` | PK |  | numbered | Surrogate key of this version. |" in page

    def test_diagrams_stand_in_it_or_a_picture_does(self, shop):
        schemas = read_schemas(shop, names=["warehouse", "ops"])
        assert markdown(schemas).count("```mermaid\nerDiagram\n") == 1
        with_picture = markdown(schemas, picture="star.svg")
        assert "](star.svg)" in with_picture
        assert "mermaid" not in with_picture


ENTITY = re.compile(r'^    "[^"]+" \{$')
ATTRIBUTE = re.compile(
    r'^        [^\W\d][\w\-\[\]()]* [^\W\d][\w\-\[\]()]*( (PK|FK|UK)(, (PK|FK|UK))*)?( "[^"]*")?$'
)
RELATION = re.compile(r'^    "[^"]+" (\|\||\|o)--(o\||o\{) "[^"]+" : "[^"]+"$')


class TestMermaid:
    def test_every_line_is_of_the_grammar(self, tables):
        lines = mermaid(list(tables.values())).splitlines()
        assert lines.pop(0) == "erDiagram"
        for line in lines:
            assert line == "    }" or any(each.match(line) for each in (ENTITY, ATTRIBUTE, RELATION)), line

    def test_cardinalities_follow_from_the_keys(self, tables):
        text = mermaid(list(tables.values()))
        name = '"Odd & <shop>.{}"'.format
        assert f'{name("customer")} ||--o{{ {name("order")} : "customer_id"' in text
        assert f'{name("order")} |o--o{{ {name("order")} : "parent_no, parent_part"' in text
        assert f'{name("customer")} ||--o| {name("badge")} : "customer_id"' in text
        assert f'{name("customer")} |o--o{{ {name("line")} : "customer_id"' in text
        assert "source.calendar" not in text


SVG = "{http://www.w3.org/2000/svg}"


class TestSvg:
    def test_it_is_well_formed_and_the_same_each_time(self, tables):
        text = svg(list(tables.values()))
        assert text == svg(list(tables.values()))
        titles = [each.text for each in ET.fromstring(text).iter(f"{SVG}text") if each.get("class") == "head"]
        assert sorted(titles) == sorted(table.title for table in tables.values())

    def test_each_reference_between_the_tables_has_a_line(self, tables):
        drawn = ET.fromstring(svg(list(tables.values())))
        lines = [each for each in drawn.iter(f"{SVG}path") if each.get("class") == "line"]
        inside = [each for table in tables.values() for each in table.references if each.schema != "source"]
        assert len(lines) == len(inside) == 5

    def test_texts_stay_inside_their_box(self, shop):
        every = [table for schema in read_schemas(shop) for table in schema.tables]
        for group in ET.fromstring(svg(every)).iter(f"{SVG}g"):
            box = group.find(f"{SVG}rect")
            if box is None or box.get("class") != "box":
                continue
            width, rows = float(box.get("width")), {}
            for text in group.findall(f"{SVG}text"):
                size = 7.9 if text.get("class") == "head" else 6.0 if text.get("class") == "key" else 7.3
                x, length = float(text.get("x")), len(text.text) * size
                span = (x - length, x) if text.get("text-anchor") == "end" else (x, x + length)
                assert span[0] >= 0
                assert span[1] <= width
                assert float(text.get("y")) < float(box.get("height"))
                rows.setdefault(text.get("y"), []).append(span)
            for spans in rows.values():
                spans.sort()
                assert all(one[1] <= other[0] for one, other in pairwise(spans))

    def test_without_references_there_are_only_boxes(self, shop):
        (staging,) = read_schemas(shop, names=["staging"])
        assert 'class="line"' not in svg(staging.tables)
        assert svg(()).startswith("<svg ")
