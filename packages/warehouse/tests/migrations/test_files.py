"""Files of migrations: ours and a team's, and all that can be wrong with them told at once."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from windlass.warehouse.errors import MigrationError, MigrationFilesError
from windlass.warehouse.migrations import MigrationFolder, load_migrations
from windlass.warehouse.migrations.files import Migration, parse_migration
from windlass.warehouse.migrations.selection import select_migrations

pytestmark = pytest.mark.unit

KNOWN = load_migrations()


def _problems(*folders):
    with pytest.raises(MigrationFilesError) as caught:
        load_migrations(folders)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


class TestOurs:
    def test_the_package_ships_its_migrations_in_order(self):
        assert [each.group for each in KNOWN[:4]] == ["ops", "source", "staging", "warehouse"]
        assert [each.version for each in KNOWN] == sorted(each.version for each in KNOWN)

    def test_nothing_is_wrong_with_the_files_that_the_package_ships(self):
        for each in KNOWN:
            assert parse_migration(f"{each.name}.sql", each.sql.encode()) == each
            assert each.transactional

    def test_line_ends_of_a_checkout_and_a_byte_order_mark_do_not_change_the_checksum(self):
        texts = (
            b"select 1;\nselect 2;\n",
            b"select 1;\r\nselect 2;\r\n",
            b"\xef\xbb\xbfselect 1;\nselect 2;\n",
        )
        assert len({parse_migration("0001_ops.sql", text).checksum for text in texts}) == 1

    def test_another_text_has_another_checksum(self):
        assert KNOWN[0].checksum != replace(KNOWN[0], sql=KNOWN[0].sql + " ").checksum


class TestFolders:
    def test_ours_come_first_then_each_folder_s_by_version(self, make_folder):
        sales = make_folder("sales", v0002_sales_more="select 2", v0001_sales="select 1")
        stock = make_folder("stock", v0001_stock="select 1")
        found = load_migrations([MigrationFolder(stock, "depot"), sales])
        assert [each.title for each in found] == [
            *(each.name for each in KNOWN),
            "depot/0001_stock",
            "sales/0001_sales",
            "sales/0002_sales_more",
        ]
        assert [each.group for each in found[-3:]] == ["stock", "sales", "sales"]

    @pytest.mark.parametrize(
        ("text", "name", "path"),
        [
            ("sales=/srv/m", "sales", "/srv/m"),
            ("/srv/sales", "sales", "/srv/sales"),
            ("/srv/a=b/sales", "sales", "/srv/a=b/sales"),
        ],
    )
    def test_a_folder_is_named_by_itself_or_before_an_equals_sign(self, text, name, path):
        folder = MigrationFolder.parse(text)
        assert (folder.name, str(folder.path)) == (name, path)

    def test_a_home_folder_is_found_behind_a_name_too(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        for text in ("~/sales", "sales=~/sales"):
            assert MigrationFolder.parse(text).path == tmp_path / "sales"

    def test_all_that_is_wrong_is_told_at_once_with_its_path(self, make_folder, tmp_path):
        folder = make_folder(
            "sales",
            v1_sales="select 1",
            v0002_Sales="select 1",
            v0003_sales="select 1",
            v0003_sales_again="select 1",
            v0004_sales="-- nothing here\n",
            v0005_sales="select 'never ends",
            v0006_sales="create table a (b integer);\ncommit;",
            v0016_sales="create table a (b integer);\nprepare /* it */ transaction 'a';",
            v0007_sales="-- windlass: no-transaction\nvacuum; analyze",
            v0008_sales="-- windlass: no-transactions\nvacuum",
            v0009_sales="-- why\n-- windlass: no-transaction\nvacuum",
        )
        (folder / "0010_sales.sql").write_bytes(b"select '\xff'")
        (folder / "0011_sales.sql").write_bytes(b"select 1;\n\0drop table a")
        (folder / "0012_sales.sql").mkdir()
        (folder / "0013_sales.SQL").write_text("select 1")
        (folder / "0014_sales.sql").symlink_to(folder / "nowhere")
        (tmp_path / "secret").write_text("select 1")
        (folder / "0015_sales.sql").symlink_to(tmp_path / "secret")
        (folder / "notes.txt").write_text("no migration, and no problem")
        missing = tmp_path / "missing"
        told = dict(each.split(": ", 1) for each in _problems(folder, missing))
        assert told.pop(str(missing)) == "cannot be read: No such file or directory"
        expected = {
            "0002_Sales.sql": "is not the name of a migration",
            "0003_sales_again.sql": "has the same version as 0003_sales.sql",
            "0004_sales.sql": "is empty",
            "0005_sales.sql": "line 1, column 8: This quote never ends.",
            "0006_sales.sql": "line 2, column 1: COMMIT is refused",
            "0016_sales.sql": "line 2, column 1: PREPARE TRANSACTION is refused",
            "0007_sales.sql": "holds 2 statements",
            "0008_sales.sql": "has an unknown directive in line 1: 'no-transactions'",
            "0009_sales.sql": "says no-transaction in line 2, where it is not seen",
            "0010_sales.sql": "is not UTF-8: byte 8 is 0xff",
            "0011_sales.sql": "holds a NUL character in line 2",
            "0012_sales.sql": "is not a regular file",
            "0013_sales.SQL": "is not the name of a migration",
            "0014_sales.sql": "cannot be read: No such file or directory",
            "0015_sales.sql": "is a link that leads out of its folder",
            "1_sales.sql": "is not the name of a migration",
        }
        assert told.keys() == {str(folder / name) for name in expected}
        for name, problem in expected.items():
            assert told[str(folder / name)].startswith(problem)

    def test_files_may_be_links_within_the_folder_as_kubernetes_mounts_them(self, make_folder):
        folder = make_folder("sales")
        (folder / "..data").mkdir()
        (folder / "..data" / "0001_sales.sql").write_text("select 1")
        (folder / "0001_sales.sql").symlink_to("..data/0001_sales.sql")
        assert load_migrations([folder])[-1].title == "sales/0001_sales"

    def test_a_huge_file_is_refused_before_it_is_read(self, make_folder):
        folder = make_folder("sales")
        with (folder / "0001_sales.sql").open("wb") as file:
            os.truncate(file.fileno(), 2**40)
        assert "has 1,099,511,627,776 bytes" in _problems(folder)[0]

    def test_a_folder_without_migrations_is_a_mistake(self, make_folder):
        assert _problems(make_folder("sales")) == (f"{make_folder('sales')}: holds no *.sql file",)

    def test_collections_have_names_of_their_own(self, make_folder):
        one, other = make_folder("one", v0001_a="select 1"), make_folder("other", v0001_b="select 1")
        ours, twice = _problems(
            MigrationFolder(one, "windlass"), MigrationFolder(one, "a"), MigrationFolder(other, "a")
        )
        assert ours.startswith(f"{one}: 'windlass' cannot name a collection")
        assert twice.startswith(f"{other}: {one} is called 'a' too")
        (shouting,) = _problems(MigrationFolder(one, "SALES"))
        assert "'SALES' cannot name a collection" in shouting


class TestSelection:
    known = (*KNOWN, Migration(1, "0001_sales", "sales", "select 1", collection="team"))

    @pytest.mark.parametrize("to", ["2", "0002_source", "windlass/2", "windlass/0002_source"])
    def test_to_names_the_last_one_by_version_or_name(self, to):
        assert [each.name for each in select_migrations(self.known, to=to)] == ["0001_ops", "0002_source"]

    def test_to_reaches_into_a_team_s_folder_over_all_of_ours(self):
        assert select_migrations(self.known, to="team/1") == self.known

    def test_a_version_that_several_have_must_be_told_apart(self):
        with pytest.raises(MigrationError, match="can be several") as caught:
            select_migrations(self.known, to="0001")
        assert "windlass/0001_ops, team/0001_sales" in caught.value.advice

    def test_an_unknown_one_is_refused_with_those_there_are(self):
        with pytest.raises(MigrationError, match="no migration 0099") as caught:
            select_migrations(self.known, to="0099")
        assert "0001_ops" in caught.value.advice
        assert "team/0001_sales" in caught.value.advice

    def test_groups_and_the_last_one_go_together(self):
        chosen = select_migrations(self.known, only={"source", "sales"}, to="3")
        assert [each.name for each in chosen] == ["0001_ops", "0002_source"]
