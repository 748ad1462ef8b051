from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json
import uuid
import zlib
from pathlib import Path
from typing import Any

import pytest

from windlass.warehouse.errors import FileRejectedError, LoadError
from windlass.warehouse.load.file import FileOptions, load_file
from windlass.warehouse.load.source import TextSource

pytestmark = pytest.mark.integration

HEADER = "id,name,n\n"


def places(loader, content: bytes | str | Path, name: str = "item.csv", **options: Any) -> list[Any]:
    with pytest.raises(FileRejectedError) as caught:
        loader.load(content, name, **options)
    assert loader.rows() == []
    assert caught.value.advice
    return [(item.line, item.column, item.message) for item in caught.value.problems]


# Columns.


def test_columns_of_other_names_are_mapped_and_others_left_out(loader) -> None:
    content = 'Remark,No,"n",name\n"x, ""\ny""",1,2,a\n,2,,""\n'
    assert loader.load(content, columns={"Remark": None, "No": "id"}).rows == 2
    assert [tuple(map(str, row)) for row in loader.rows()] == [("1", "a", "2.00"), ("2", "", "None")]


def test_swapped_names_are_swapped(loader) -> None:
    loader.load("id,n,name\n1,2,3\n", columns={"n": "name", "name": "n"})
    assert [tuple(map(str, row)) for row in loader.rows()] == [("1", "2", "3.00")]


@pytest.mark.parametrize("name", ["item.csv", "item.jsonl", "item.parquet"])
def test_extra_columns_are_left_out_when_asked(loader, parquet, name: str) -> None:
    content: Any = {
        "item.csv": "id,more,name,n\n1,x,a,1\n2,y,b,\n",
        "item.jsonl": '{"id":1,"more":[1],"name":"a","n":1}\n{"id":2,"name":"b","n":null,"more":2,"z":3}\n',
    }.get(name) or parquet(id=[1, 2], more=[[1], [2]], name=["a", "b"], n=[1, None])
    assert "'more' is unknown" in places(loader, content, name)[0][2]
    assert loader.load(content, name, extra_columns="ignore").rows == 2
    assert [row[:2] for row in loader.rows()] == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("name", ["item.csv", "item.jsonl"])
def test_missing_columns_take_their_default_when_asked(loader, name: str) -> None:
    content = "id\n1\n" if name == "item.csv" else '{"id":1}\n'
    assert len(places(loader, content, name)) == 2
    assert loader.load(content, name, missing_columns="default").rows == 1
    assert loader.rows() == [(1, None, None)]


def test_a_missing_column_that_takes_no_null_is_told_all_the_same(loader) -> None:
    (problem,) = places(loader, "name\na\n", missing_columns="default")
    assert "'id' of staging.item is missing; it has no default" in problem[2]


def test_json_lines_may_lack_keys_when_asked_but_lose_none(loader) -> None:
    lines = '{"id":1,"name":"a"}\n{"id":2}\n{"id":3,"name":"c","n":1}\n'
    (problem,) = places(loader, lines, "item.jsonl", missing_columns="default", extra_columns="ignore")
    assert problem == (3, lines.splitlines()[2].index('"n":') + 1, "Key 'n' is not in the first line.")
    lines = lines.replace(',"n":1', "")
    assert loader.load(lines, "item.jsonl", missing_columns="default").rows == 3
    assert loader.rows() == [(1, "a", None), (2, None, None), (3, "c", None)]


@pytest.mark.parametrize(
    ("header", "columns", "told"),
    [
        ("id,name,n", {"no": "id"}, "no column 'no', which columns maps"),
        ("id,name,n,x", {"x": "nope"}, "'x' is mapped to 'nope', unknown"),
        ("id,name,n,x", {"x": "n"}, "'n' and 'x' both go into 'n'"),
        ("id,name", {"name": None}, "'name' of staging.item is missing"),
    ],
)
def test_a_mapping_that_fits_not_is_told(loader, header: str, columns: dict[str, Any], told: str) -> None:
    assert any(told in message for *_, message in places(loader, header + "\n", columns=columns))


def test_a_file_none_of_whose_columns_counts_is_refused(loader) -> None:
    loader.connection.execute("alter table staging.item alter id set default 1, alter name set default ''")
    loader.connection.execute("alter table staging.item alter n set default 1")
    assert "No column" in places(loader, "a,b\n1,2\n", extra_columns="ignore")[0][2]


@pytest.mark.parametrize("rejects", [0, 9])
def test_ragged_rows_are_found_though_columns_are_left_out(loader, rejects: int) -> None:
    content = 'more,id,name,n\nx,1,"a\n",1\nx,2,b\n3,b,1\n"x",4,"d",1,\nx,5,e,5\n'
    if rejects:
        loader.load(content, extra_columns="ignore", max_rejects=rejects)
        assert [row[0] for row in loader.rows()] == [1, 5]
        assert [line for line, *_ in loader.rejects()] == [4, 5, 6]
    else:
        found = places(loader, content, extra_columns="ignore")
        assert [(line, column) for line, column, _ in found][:1] == [(4, 6)]


# Text.


def test_another_dialect_is_read(loader) -> None:
    content = "id;name;n\n1;'a;''b''';2\nNULL;x;3\n2;NULL;'4'\n3;'NULL';\n4;;5\n"
    options = {"delimiter": ";", "quote": "'", "null": "NULL"}
    found = places(loader, content, **options)
    assert [(line, column) for line, column, _ in found] == [(3, 1), (5, 10)]
    content = content.replace("NULL;x;3\n", "").replace("'NULL';", "'NULL';NULL")
    loader.load(content, **options)
    assert [tuple(map(str, row)) for row in loader.rows()] == [
        ("1", "a;'b'", "2.00"),
        ("2", "None", "4.00"),
        ("3", "NULL", "None"),
        ("4", "", "5.00"),
    ]


def test_tabs_may_delimit(loader) -> None:
    assert loader.load("id\tname\tn\n1\ta,b\t2\n", delimiter="\t").rows == 1


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig", "utf-8", "cp037"]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_other_encodings_are_read(loader, encoding: str, mark: str) -> None:
    if mark and encoding not in ("utf-8", "utf-16-le"):
        mark = ""
    content = (mark + HEADER + "1,Zoë ä,1\n").encode(encoding)
    assert loader.load(content, encoding=encoding).rows == 1
    assert loader.rows()[0][1] == "Zoë ä"


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        (
            (HEADER + "1,ä,1\n2,b").encode("cp1252") + b"\x81\x8d,1\n",
            "cp1252",
            (3, 4, "Byte 0x81 is not cp1252"),
        ),
        ((HEADER + "1,ä,1\n2,b").encode("cp1253", "ignore") + b"\xd2\xaa,1\n", "cp1253", (3, 4, "Byte 0xd2")),
        ((HEADER + "1,ä,1\n").encode("utf-16") + b"\x00\xd8\x61\x00", "utf-16", (3, 1, "is not utf-16")),
        ((HEADER + "1,ä").encode("utf-16-le") + b"\x61", "utf-16-le", (2, 4, "Byte 0x61")),
        ((HEADER + "1,+2AA-,1\n").encode(), "utf-7", (2, 3, "is not utf-7")),
        ((HEADER + "1,ä,1\n").encode(), "ascii", (2, 3, "Byte 0xc3 is not ascii")),
        ((HEADER + "1,ä,1\n").encode("latin-1"), "utf-8", (2, 3, "give its encoding")),
    ],
)
def test_what_is_not_in_the_encoding_is_located(
    loader, content: bytes, encoding: str, expected: tuple[int, int, str]
) -> None:
    found = places(loader, content, encoding=encoding)
    assert any((line, column) == expected[:2] and expected[2] in message for line, column, message in found)


def test_an_undecodable_row_can_be_rejected(loader) -> None:
    content = (HEADER + "1,ä,1\n2,").encode("cp1252") + b"\x81,1\n3,c,1\n"
    assert loader.load(content, encoding="cp1252", max_rejects=1).rejected == 1
    assert "Byte 0x81 is not cp1252" in loader.rejects()[0][2][0]["message"]
    assert [row[1] for row in loader.rows()] == ["ä", "c"]


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("item.csv", {"encoding": "klingon"}, "no encoding 'klingon'"),
        ("item.csv", {"encoding": "hex"}, "no encoding 'hex'"),
        ("item.csv", {"encoding": "idna"}, "no encoding 'idna'"),
        ("item.csv", {"delimiter": ""}, "delimiter is ''"),
        ("item.csv", {"delimiter": "ä"}, "delimiter is 'ä'"),
        ("item.csv", {"quote": "\n"}, "quote is"),
        ("item.csv", {"quote": ","}, "both ','"),
        ("item.csv", {"null": "a,b"}, "null is 'a,b'"),
        ("item.csv", {"max_rejects": -1}, "max_rejects is -1"),
        ("item.jsonl", {"delimiter": ";", "null": "x"}, "delimiter, null has no meaning for a jsonl file"),
        ("item.parquet", {"encoding": "cp1252"}, "encoding has no meaning"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    loader, name: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(LoadError, match=told) as caught:
        loader.load("id\n", name, **options)
    assert caught.value.advice


# Compression.


def test_compressed_files_are_read_members_and_padding_and_all(loader) -> None:
    halves = gzip.compress((HEADER + "1,a,1\n").encode()) + gzip.compress(b"2,b,2\n") + b"\0" * 100
    assert loader.load(halves, "item.csv.gz").rows == 2
    assert loader.load(gzip.compress(b'{"id":3,"name":"c","n":null}'), "item.JSONL.GZ").rows == 1
    assert loader.load(halves, "again.csv.gz").skipped


def test_what_is_packed_well_comes_out_whole(loader) -> None:
    text = HEADER + "1,a,1\n" * 700_000
    assert sum(map(len, TextSource(loader.write(gzip.compress(text.encode())), gzip=True).blocks())) == len(
        text
    )


@pytest.mark.parametrize("rejects", [0, 1000])
@pytest.mark.parametrize("kind", ["truncated", "corrupt", "no gzip", "trailing"])
def test_broken_compression_loads_nothing(loader, kind: str, rejects: int) -> None:
    rows = "".join(f"{n},{zlib.crc32(b'%d' % n)},1\n" for n in range(1, 3000))
    whole = gzip.compress((HEADER + rows).encode())
    content = {
        "truncated": whole[:-10],
        "corrupt": whole[:9000] + bytes(byte ^ 255 for byte in whole[9000:9010]) + whole[9010:],
        "no gzip": HEADER.encode(),
        "trailing": whole + b"more",
    }[kind]
    ((_, _, message),) = places(loader, content, "item.csv.gz", max_rejects=rejects)
    assert "too early" in message if kind == "truncated" else "broken or no gzip" in message


def test_an_empty_file_is_empty_though_compressed(loader) -> None:
    for content, name in ((b"", "item.csv.gz"), (gzip.compress(b""), "item.csv.gz"), (b"", "item.parquet")):
        assert "empty" in places(loader, content, name)[0][2]


def test_data_that_expand_without_end_are_refused_soon(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(bytes(20_000_000)))
    source = TextSource(path, gzip=True, free_expansion=3_000_000, max_expansion=50)
    sizes: list[int] = []
    with pytest.raises(FileRejectedError, match="more than 50 times") as caught:
        sizes.extend(map(len, source.blocks()))
    assert max(sizes) <= 1024 * 1024
    assert 2_000_000 < sum(sizes) < 5_000_000
    assert "unpack" in caught.value.advice


def test_one_record_without_end_is_refused_before_memory_is(loader) -> None:
    content = gzip.compress(HEADER.encode() + b'1,"' + b"x" * (66 << 20), compresslevel=1)
    ((line, column, message),) = places(loader, content, "item.csv.gz")
    assert (line, column) == (2, 1)
    assert "never ends" in message
    ((line, _, message),) = places(loader, content, "item.csv.gz", max_rejects=9)
    assert (line, message) == (2, "The record is longer than 64 MB.")


@pytest.mark.parametrize("rejects", [0, 9])
def test_one_line_of_json_longer_than_a_record_is_refused(loader, rejects: int) -> None:
    line = b'{"id": 1, "name": "' + b"x" * (66 << 20) + b'"}\n'
    content = gzip.compress(b'{"id": 1, "name": "a", "n": 1}\n' + line, compresslevel=1)
    found = places(loader, content, "item.jsonl.gz", max_rejects=rejects)
    assert found == [(2, 1, "The record is longer than 64 MB.")]


# JSON lines.


def test_a_text_in_a_json_column_stays_a_text(loader) -> None:
    loader.connection.execute("alter table staging.item add doc jsonb")
    values: list[Any] = ["123", "null", "hello", '{"a": 1}', 1, True, [1, "ä"], {"ä": None}, None]
    lines = [json.dumps({"id": n, "name": "", "n": 1, "doc": value}) for n, value in enumerate(values, 1)]
    loader.load("\n".join(lines), "item.jsonl")
    assert [row[3] for row in loader.rows()] == values


def test_nested_text_is_kept_and_nested_bytes_that_are_none_are_refused(loader) -> None:
    good = '{"id": 1, "name": {"ä": "ü"}, "n": 1}\n'
    assert loader.load(good, "item.jsonl").rows == 1
    assert loader.rows()[0][1] == '{"ä": "ü"}'
    loader.connection.execute("truncate staging.item")
    bad = good.encode("latin-1")
    assert places(loader, good.encode() + bad, "item.jsonl")[0][:2] == (2, 21)
    assert loader.load(good.encode() + bad, "item.jsonl", max_rejects=1).rejected == 1


# Parquet.


def test_parquet_types_arrive_as_they_are(loader, parquet) -> None:
    import pyarrow as pa

    at = dt.datetime(2024, 3, 31, 1, 2, 3, 456789, tzinfo=dt.UTC)
    key = uuid.UUID(int=7)
    values: dict[str, tuple[str, Any]] = {
        "b": ("boolean", pa.array([True, None])),
        "i": ("bigint", pa.array([-(2**63), None])),
        "u": ("numeric", pa.array([2**64 - 1, None], pa.uint64())),
        "f": ("float8", pa.array([0.1 + 0.2, None])),
        "h": ("float4", pa.array([1.5, None], pa.float16())),
        "d": ("numeric", pa.array([decimal.Decimal("12345678901234567890.12"), None])),
        "s": ("text", pa.array(['a "b"\n\\.\n,\t', None])),
        "e": ("text", pa.array(["", "x"]).dictionary_encode()),
        "bin": ("bytea", pa.array([b"\0\xff", None])),
        "fix": ("bytea", pa.array([b"\0\xff", None], pa.binary(2))),
        "key": ("uuid", pa.array([key.bytes, None], pa.uuid())),
        "day": ("date", pa.array([dt.date(1, 1, 1), None])),
        "t": ("time", pa.array([dt.time(1, 2, 3, 4), None])),
        "at": ("timestamptz", pa.array([at, None], pa.timestamp("us", "Europe/Berlin"))),
        "ns": ("timestamp", pa.array([at.replace(tzinfo=None), None], pa.timestamp("ns"))),
        "nothing": ("int", pa.nulls(2)),
    }
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, _) in values.items())
    loader.connection.execute(f"drop table staging.item; create table staging.item ({columns})")
    path = parquet(**{name: array for name, (_, array) in values.items()})

    assert load_file(loader.connection, file=path, table="staging.item").rows == 2

    found = loader.connection.execute("select * from staging.item order by i").fetchone()
    expected = [array[0].as_py() for _, array in values.values()]
    assert list(found) == expected


def test_parquet_columns_that_nothing_holds_are_refused_by_name(loader, parquet) -> None:
    path = parquet(id=[1], name=[["a"]], n=[dt.timedelta(1)])
    found = places(loader, path)
    assert [(column, message) for _, column, message in found] == [
        (2, "Column 'name' is of type list<element: string>, which cannot be loaded."),
        (3, "Column 'n' is of type duration[us], which cannot be loaded."),
    ]
    assert loader.load(path, columns={"name": None, "n": None}, missing_columns="default").rows == 1


def test_names_with_dots_are_told_apart(loader, parquet) -> None:
    path = parquet(**{"id": [1], "name": ["a"], "name.x": ["b"], "n": [1]})
    assert loader.load(path, extra_columns="ignore").rows == 1
    assert loader.rows()[0][1] == "a"


def test_a_broken_parquet_file_is_told(loader, parquet) -> None:
    assert "no Parquet file" in places(loader, b"PAR1 is not all", "item.parquet")[0][2]
    path = parquet(id=list(range(1, 5000)), name=["a"] * 4999, n=[1] * 4999)
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(3800)
    assert "broken" in places(loader, bytes(content), "broken.parquet")[0][2]


def test_parquet_is_loaded_in_pieces(loader, parquet) -> None:
    path = parquet(id=range(1, 20_001), name=["x"] * 20_000, n=[None] * 20_000)
    assert loader.load(path).rows == 20_000
    assert loader.load(path).skipped


def test_formats_go_by_option_or_suffix(loader) -> None:
    path = loader.write(HEADER, "item.txt")
    with pytest.raises(LoadError, match="Cannot tell the format"):
        loader.load(path)
    assert (
        load_file(
            loader.connection, file=path, table="staging.item", format="csv", options=FileOptions()
        ).rows
        == 0
    )
