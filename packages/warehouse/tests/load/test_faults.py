"""What can go wrong around a load: the server, the disk, the process, other loads, migrations."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from windlass.warehouse.connection import connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.errors import FileRejectedError, LoadError
from windlass.warehouse.load.file import FileOptions, FileResult, load_file
from windlass.warehouse.migrations import migrate
from windlass.warehouse.testing.server import WarehouseDatabase

pytestmark = pytest.mark.integration

HEADER = "id,name,n\n"
DEADLINE = 30.0


def until(condition: Callable[[], object], *, alive: Callable[[], bool] = lambda: True) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert alive(), "what was waited for has ended"
        assert time.monotonic() < end, "waited too long"


def rows(loader) -> list[int]:
    return [row[0] for row in loader.rows()]


class Loading:
    """A load on a connection and thread of its own, held up at the table by another transaction."""

    def __init__(self, warehouse: WarehouseDatabase, path: Path, **options: Any) -> None:
        self.warehouse, self.path, self.options = warehouse, path, options
        self.pid = 0
        self.result: FileResult | None = None
        self.error: LoadError | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self.warehouse.connect(autocommit=True) as own:
            self.pid = own.info.backend_pid
            try:
                self.result = load_file(
                    own, file=self.path, table="staging.item", options=FileOptions(**self.options)
                )
            except LoadError as error:
                self.error = error

    def join(self) -> None:
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()


def waits(connection: psycopg.Connection[Any], loading: Loading) -> bool:
    found = connection.execute(
        "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s", [loading.pid]
    ).fetchone()
    return bool(found and found[0])


@contextmanager
def held(warehouse: WarehouseDatabase, statement: str) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect() as other:
        other.execute(statement)
        yield other


def hold_up(loader, on: str = "new.id = 3") -> None:
    """A trigger that stops the load in the middle of its COPY, until an advisory lock is free."""
    loader.connection.execute(
        "create function staging.wait() returns trigger language plpgsql as "
        f"'begin if {on} then perform pg_advisory_xact_lock(7); end if; return new; end';"
        "create trigger wait before insert on staging.item for each row execute function staging.wait()"
    )


@pytest.mark.parametrize("rejects", [0, 5])
def test_a_server_gone_in_the_middle_of_copy_loads_nothing(
    loader, warehouse: WarehouseDatabase, rejects: int
) -> None:
    hold_up(loader)
    path = loader.write(HEADER + "".join(f"{n},a,1\n" for n in range(1, 50_000)))
    with held(warehouse, "select pg_advisory_xact_lock(7)"):
        loading = Loading(warehouse, path, max_rejects=rejects)
        until(lambda: waits(loader.connection, loading), alive=loading.thread.is_alive)
        loader.connection.execute("select pg_terminate_backend(%s, 5000)", [loading.pid])
        loading.join()
    assert loading.error is not None
    assert "Nothing was loaded" in str(loading.error)
    assert loading.error.advice
    assert rows(loader) == []
    assert loader.load(path, max_rejects=rejects).rows == 49_999


@pytest.fixture
def private_server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(server_folder, system_dir=server_folder.parent / "system", durable=False)
    with server:
        server.create_database("warehouse")
        migrate(server.dsn("warehouse"))
        yield server


def test_a_killed_server_loads_nothing_and_the_next_run_all(
    private_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    path = tmp_path / "f.csv"
    path.write_text("sale_id\n" + "".join(f"{n}\n" for n in range(20_000)))
    options = FileOptions(missing_columns="default")
    dsn = private_server.dsn("warehouse")
    with connect(dsn, autocommit=True) as doomed, connect(dsn, autocommit=True) as other:
        other.execute("begin; lock table staging.web_sale")
        failures: list[LoadError] = []

        def work() -> None:
            with pytest.raises(LoadError) as caught:
                load_file(doomed, file=path, table="staging.web_sale", options=options)
            failures.append(caught.value)

        thread = threading.Thread(target=work)
        thread.start()
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        until(lambda: other.execute(waiting).fetchone() == (1,), alive=thread.is_alive)
        os.kill(private_server.pid, signal.SIGKILL)
        # The children of a killed postmaster end by themselves when they notice.
        with pytest.raises(psycopg.Error):
            other.execute("select pg_sleep(60)")
        thread.join(DEADLINE)
    assert "Nothing was loaded" in str(failures[0])
    private_server.start()
    with connect(dsn, autocommit=True) as connection:
        assert connection.execute("select count(*) from staging.web_sale").fetchone() == (0,)
        assert load_file(connection, file=path, table="staging.web_sale", options=options).rows == 20_000


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 16 MB that the server's account can write to."""
    folder = Path(tempfile.mkdtemp(prefix="wd", dir="/tmp"))
    try:
        become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        mount = [*become_root, "mount", "-t", "tmpfs", "-o", "size=16m,mode=0777", "tmpfs", str(folder)]
        tool = shutil.which(mount[0])
        done = subprocess.run(mount, capture_output=True, text=True, check=False) if tool else None
        if done is None or done.returncode:
            why = done.stderr.strip() if done else f"there is no {mount[0]}"
            reason = f"no small disk can be mounted here: {why}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            yield folder
        finally:
            subprocess.run([*become_root, "umount", "-l", str(folder)], check=True)
    finally:
        folder.rmdir()


@pytest.mark.parametrize("rejects", [0, 5])
def test_a_full_disk_loads_nothing_and_the_next_run_all(
    loader, warehouse: WarehouseDatabase, small_disk: Path, rejects: int
) -> None:
    place = small_disk / "space"
    place.mkdir(mode=0o700)
    owner = Path(loader.connection.execute("show data_directory").fetchone()[0]).stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    space = f"small_{os.getpid()}"
    loader.connection.execute(f"create tablespace {space} location '{place}'")
    try:
        loader.connection.execute(f"alter table staging.item set tablespace {space}")
        path = loader.write(HEADER + "".join(f"{n},{'x' * 900},1\n" for n in range(1, 30_000)))
        with pytest.raises(LoadError, match="No space left on device") as caught:
            loader.load(path, max_rejects=rejects)
        assert "Nothing was loaded" in str(caught.value)
        assert rows(loader) == loader.rejects() == []
        loader.connection.execute("alter table staging.item set tablespace pg_default")
        assert loader.load(path, max_rejects=rejects).rows == 29_999
    finally:
        loader.connection.execute("drop table staging.item; checkpoint")
        loader.connection.execute(f"drop tablespace {space}")


LOAD = """
import sys
from windlass.warehouse.connection import connect
from windlass.warehouse.load.file import load_file
with connect(sys.argv[1], autocommit=True) as connection:
    print(connection.info.backend_pid, flush=True)
    load_file(connection, file=sys.argv[2], table="staging.item")
"""


def test_a_killed_load_leaves_nothing(loader, warehouse: WarehouseDatabase, start_python) -> None:
    hold_up(loader)
    path = loader.write(HEADER + "".join(f"{n},a,1\n" for n in range(1, 50_000)))
    with held(warehouse, "select pg_advisory_xact_lock(7)"):
        process = start_python(LOAD, warehouse.dsn, path)
        pid = int(process.stdout.readline())
        blocked = "select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        until(
            lambda: loader.connection.execute(blocked, [pid]).fetchone() == (1,),
            alive=lambda: process.poll() is None,
        )
        process.kill()
        process.wait()
    gone = "select count(*) from pg_stat_activity where pid = %s"
    until(lambda: loader.connection.execute(gone, [pid]).fetchone() == (0,))
    assert rows(loader) == []
    assert loader.load(path).rows == 49_999


def test_two_loads_of_other_content_at_once_both_arrive(loader, warehouse: WarehouseDatabase) -> None:
    one = loader.write(HEADER + "1,a,1\nx,b,1\n", "1.csv")
    two = loader.write(HEADER + "2,a,1\nx,c,1\n", "2.csv")
    with held(warehouse, "lock table staging.item in share mode"):
        loadings = [Loading(warehouse, path, max_rejects=1) for path in (one, two, one)]
        for loading in loadings:
            until(lambda loading=loading: waits(loader.connection, loading), alive=loading.thread.is_alive)
    for loading in loadings:
        loading.join()
        assert loading.error is None
    assert rows(loader) == [1, 2]
    assert len(loader.rejects()) == 2
    assert sorted(loading.result.skipped for loading in loadings if loading.result) == [False, False, True]


def test_a_load_waits_for_a_migration_and_sees_what_it_made(loader, warehouse: WarehouseDatabase) -> None:
    path = loader.write("id,name,n,more\n1,a,1,z\n")
    with held(warehouse, "alter table staging.item add more text") as migrating:
        loading = Loading(warehouse, path)
        until(lambda: waits(loader.connection, loading), alive=loading.thread.is_alive)
        migrating.commit()
        loading.join()
    assert loading.error is None
    assert loader.rows()[0][3] == "z"


def test_a_migration_waits_for_a_load(loader, warehouse: WarehouseDatabase) -> None:
    hold_up(loader, on="new.id = 1")
    path = loader.write(HEADER + "1,a,1\n")
    with held(warehouse, "select pg_advisory_xact_lock(7)") as lock, warehouse.connect() as migrating:
        loading = Loading(warehouse, path)
        until(lambda: waits(loader.connection, loading), alive=loading.thread.is_alive)
        migrating.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrating.execute("alter table staging.item add more text")
        lock.rollback()
        loading.join()
    assert rows(loader) == [1]


def test_a_load_that_may_not_wait_longer_says_so(loader, warehouse: WarehouseDatabase) -> None:
    path = loader.write(HEADER + "1,a,1\n")
    with held(warehouse, "alter table staging.item add more text") as migrating:
        loader.connection.execute("set lock_timeout = '50ms'")
        with pytest.raises(LoadError, match="lock timeout") as caught:
            loader.load(path)
        migrating.rollback()
    assert "when the lock is free" in caught.value.advice
    loader.connection.execute("set lock_timeout = 0")
    assert loader.load(path).rows == 1


@pytest.mark.parametrize("name", ["item.csv", "item.jsonl"])
def test_a_field_of_ten_megabytes_is_loaded(loader, name: str) -> None:
    long = "é" * 5_000_000
    content = HEADER + f'1,"{long}",1\n' if name == "item.csv" else f'{{"id":1,"name":"{long}","n":1}}\n'
    assert loader.load(content, name, max_rejects=1).rows == 1
    assert loader.rows()[0][1] == long


def test_a_bad_record_of_ten_megabytes_is_kept_in_part(loader) -> None:
    assert loader.load(HEADER + f"x,{'y' * 10_000_000},1\n2,a,1\n", max_rejects=1).rejected == 1
    ((line, record, problems),) = loader.rejects()
    assert (line, len(record)) == (2, 10_000)
    assert problems[0]["column"] == 1


@pytest.mark.parametrize("rejects", [0, 5])
@pytest.mark.parametrize("change", ["grow", "replace"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    loader, warehouse: WarehouseDatabase, change: str, rejects: int
) -> None:
    path = loader.write(HEADER + "1,a,1\n")
    with held(warehouse, "lock table staging.item"):
        loading = Loading(warehouse, path, max_rejects=rejects)
        until(lambda: waits(loader.connection, loading), alive=loading.thread.is_alive)
        if change == "grow":
            with path.open("a") as file:
                file.write("2,b,2\n")
        else:
            loader.write(HEADER + "3,c,3\n", "other.csv").replace(path)
    loading.join()
    assert "changed while it was read" in str(loading.error)
    assert rows(loader) == []
    assert loader.load(path).rows >= 1


def test_a_lost_file_says_so(loader) -> None:
    with pytest.raises(LoadError, match="No such file"):
        loader.load(loader.folder / "gone.csv")


def test_an_extra_column_in_one_row_only_is_located(loader) -> None:
    with pytest.raises(FileRejectedError, match=r":3:7: 4 values for 3 columns"):
        loader.load(HEADER + "1,a,1\n2,b,1,x\n")
