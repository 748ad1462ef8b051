"""The demo with a user's own config, and everything that can happen to it while it runs.

The tests share one state folder: each fault is followed by the next test's run, which has to succeed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from windlass.deployments.testing import Api, Config, Stack, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A folder through which a task says that it has begun, and is told to go on."""
    folder = tmp_path / "gate"
    folder.mkdir()
    return folder


def waiting(gate: Path) -> str:
    """A command that says it has begun and waits for the go."""
    return f"touch '{gate}/begun'; while [ ! -e '{gate}/go' ]; do sleep 0.05; done"


def test_a_config_of_ones_own_runs_and_nothing_is_left(stack: Stack, config: Config) -> None:
    done = stack.run("demo", "--config", config.write(one="echo 1", two="echo 2"), "--json")
    assert done.code == 0, done.err
    report = done.report
    assert (report["state"], report["dag_id"], report["anomalies"]) == ("success", "shop_trial_v1", None)
    assert [(task["task_id"], task["state"]) for task in report["tasks"]] == [
        ("one", "success"),
        ("two", "success"),
    ]
    assert done.out.count("\n") == 1
    assert "Warehouse seeded" in done.err
    assert stack.processes() == []


def test_a_task_that_fails_is_named_with_its_reason_and_log(stack: Stack, config: Config) -> None:
    done = stack.run("demo", "--config", config.write(good="true", bad="exit 3", after="true"))
    assert done.code == 1
    assert "bad failed:" in done.out
    assert "exit code 3" in done.out
    log = done.out.partition("  log: ")[2].splitlines()[0]
    assert Path(log).exists()
    assert "upstream_failed" in done.out
    assert "Warehouse seeded" not in done.err


def test_a_killed_scheduler_is_replaced_and_the_run_succeeds(
    stack: Stack, config: Config, gate: Path
) -> None:
    demo = stack.start("demo", "--config", config.write(hold=waiting(gate), then="true"), "--json")
    stack.await_file(gate / "begun", demo)
    stack.kill("local: scheduler")
    (gate / "go").touch()
    done = stack.finish(demo)
    assert done.code == 0, done.err
    assert "! scheduler killed by SIGKILL; started again" in done.err
    assert done.report["state"] == "success"


def test_a_service_that_keeps_dying_ends_the_run_with_its_log(
    stack: Stack, config: Config, gate: Path
) -> None:
    demo = stack.start("demo", "--config", config.write(hold=waiting(gate)), "--json")
    stack.await_file(gate / "begun", demo)
    seen: set[int] = set()
    for _ in range(4):
        wait_until(lambda seen=seen: _triggerer(stack, but=seen))
        victim = _triggerer(stack, but=seen)
        assert victim
        seen.update(process.pid for process in stack.processes())
        victim.kill()
    done = stack.finish(demo)
    assert done.code == 1
    assert "triggerer: killed by SIGKILL" in done.err
    assert str(stack.layout.logs / "triggerer.log") in done.err
    assert done.report["state"] == "error"
    assert stack.processes() == []


def _triggerer(stack: Stack, but: set[int]) -> psutil.Process | None:
    """The triggerer itself, not the process that it runs triggers in: the one whose parent is the host."""
    host = next((one for one in stack.processes() if "windlass.deployments.local.host" in _words(one)), None)
    children = host.children() if host else []
    return next(
        (one for one in children if one.pid not in but and "windlass local: triggerer" in _words(one)), None
    )


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []


def test_ctrl_c_leaves_no_process(stack: Stack, config: Config, gate: Path) -> None:
    demo = stack.start("demo", "--config", config.write(hold=waiting(gate)))
    stack.await_file(gate / "begun", demo)
    os.killpg(demo.pid, signal.SIGINT)
    done = stack.finish(demo)
    assert done.code == 130
    assert "no process is left" in done.err
    assert stack.processes() == []
    assert stack.run("down", "--json").report == {"stopped": []}


def test_what_kill_9_of_the_command_leaves_is_cleaned_up_by_the_next_run(
    stack: Stack, config: Config, gate: Path
) -> None:
    folder = config.write(hold=waiting(gate))
    demo = stack.start("demo", "--config", folder)
    stack.await_file(gate / "begun", demo)
    demo.kill()
    stack.finish(demo)
    (gate / "go").touch()
    done = stack.run("demo", "--config", folder)
    assert done.code == 0, done.err
    assert stack.processes() == []


def test_kill_9_of_the_host_ends_the_run_with_a_message(stack: Stack, config: Config, gate: Path) -> None:
    demo = stack.start("demo", "--config", config.write(hold=waiting(gate)))
    stack.await_file(gate / "begun", demo)
    stack.kill("windlass.deployments.local.host")
    done = stack.finish(demo)
    assert done.code == 1
    assert "Airflow's host process: was killed by signal 9" in done.err
    assert "what to do: " in done.err
    assert stack.processes() == []


def test_kill_9_of_postgres_ends_the_run_with_a_message(stack: Stack, config: Config, gate: Path) -> None:
    from windlass.warehouse.embedded import EmbeddedPostgres

    demo = stack.start("demo", "--config", config.write(hold=waiting(gate)))
    stack.await_file(gate / "begun", demo)
    postmaster = EmbeddedPostgres(stack.layout.postgres).status().pid
    assert postmaster is not None
    os.kill(postmaster, signal.SIGKILL)
    done = stack.finish(demo)
    assert done.code == 1
    assert "Postgres: ended while the demo ran" in done.err
    assert "Traceback" not in done.err
    assert stack.processes() == []


def test_two_at_once_the_second_is_refused_and_the_first_succeeds(
    stack: Stack, config: Config, gate: Path
) -> None:
    folder = config.write(hold=waiting(gate))
    first = stack.start("demo", "--config", folder)
    stack.await_file(gate / "begun", first)
    second = stack.run("demo", "--config", folder, "--json")
    assert second.code == 1
    assert f"in use by process {first.pid}" in second.err
    assert "--state-dir" in second.report["advice"]
    assert stack.run("down").code == 1
    (gate / "go").touch()
    assert stack.finish(first).code == 0


def test_a_run_that_takes_too_long_is_given_up(stack: Stack, config: Config, gate: Path) -> None:
    slow = Stack(stack.state, {"WINDLASS_RUN_TIMEOUT": "4"})
    done = slow.run("demo", "--config", config.write(hold=waiting(gate)))
    assert done.code == 1
    assert "longer than 4 s" in done.out
    assert stack.processes() == []


def test_a_kept_stack_answers_lets_its_user_in_and_is_stopped_by_down(stack: Stack, config: Config) -> None:
    done = stack.run("demo", "--config", config.write(one="true"), "--keep")
    assert done.code == 0, done.err
    with Api.of(done.out) as api:
        run_id = api.run_ids("shop_trial_v1")[-1]
        assert api.task_states("shop_trial_v1", run_id) == {"one": "success"}
    assert stack.run("down", "--json").report == {"stopped": ["airflow", "postgres"]}
    assert stack.processes() == []


def test_a_port_that_is_taken_is_named(stack: Stack, config: Config) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = stack.run("demo", "--config", config.write(one="true"), "--api-port", str(port))
        assert (done.code, f"Port {port} is taken" in done.err) == (1, True)
        done = stack.run("demo", "--config", config.write(one="true"), "--postgres-port", str(port))
        assert (done.code, str(port) in done.err) == (1, True), done.err
    assert stack.processes() == []


def test_a_malformed_config_is_shown_with_its_place_and_nothing_starts(stack: Stack, config: Config) -> None:
    folder = Path(config.write(one="true"))
    file = folder / "shop_trial_v1" / "dag.json"
    file.write_text(file.read_text().replace('"operator"', '"opertor"'))
    done = stack.run("demo", "--config", str(folder))
    assert done.code == 1
    assert "dag.json:" in done.err
    assert "opertor" in done.err
    assert "Postgres up" not in done.err


def test_what_airflow_itself_refuses_is_told_as_airflow_tells_it(stack: Stack, config: Config) -> None:
    folder = Path(config.write(one="true"))
    file = folder / "shop_trial_v1" / "dag.json"
    content = json.loads(file.read_text())
    python = "airflow.providers.standard.operators.python.PythonOperator"
    content["tasks"]["one"] = {"operator": python, "args": {"python_callable": "no callable"}}
    file.write_text(json.dumps(content))
    done = stack.run("demo", "--config", str(folder))
    assert done.code == 1
    assert "python_callable" in done.err
    assert "Airflow's DAG processor" in done.err
    assert stack.processes() == []


def test_misuse_exits_with_2_and_says_what_was_meant(stack: Stack, config: Config, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, message in [
        (["--config", str(tmp_path / "absent")], "There is no folder"),
        (["--config", str(empty)], "holds no config"),
        (
            ["--config", config.write(one="true"), "--dag-id", "other"],
            "holds no DAG 'other', but shop_trial_v1",
        ),
        (["--scale", "0"], "--scale: "),
        (["--config", config.write(one="true"), "--seed", "7"], "was seeded with seed 42"),
    ]:
        done = stack.run("demo", *arguments)
        assert (done.code, message in done.err) == (2, True), done.err
    assert stack.processes() == []


def test_a_bad_setting_in_the_environment_is_named_by_its_variable(stack: Stack) -> None:
    done = Stack(stack.state, {"WINDLASS_API_PORT": "99999"}).run("demo")
    assert done.code == 2
    assert "WINDLASS_API_PORT: " in done.err


def test_down_on_a_folder_that_never_ran_says_so(tmp_path: Path) -> None:
    done = Stack(tmp_path / "never").run("down")
    assert (done.code, done.out) == (0, "Nothing was running.\n")


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = Stack(tmp_path / "file" / "state", folder=tmp_path).run("demo", "--json")
    assert done.code in {1, 2}
    assert str(tmp_path / "file") in done.err
    assert "Traceback" not in done.err
    assert "--state-dir" in done.report["advice"]


def test_help_answers_without_importing_airflow() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from windlass.deployments.local.cli import app\n"
        "result = CliRunner().invoke(app, ['demo', '--help'])\n"
        "assert '--keep' in result.output, result.output\n"
        "assert 'airflow' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    )
