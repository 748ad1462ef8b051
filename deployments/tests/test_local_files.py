"""What the local stack writes into its state folder, and how it reads task logs."""

from __future__ import annotations

import configparser
import json
import stat
from pathlib import Path

import pytest

from windlass.deployments.errors import MisuseError
from windlass.deployments.local.airflow_config import AirflowEndpoints, environment, write_config
from windlass.deployments.local.layout import Layout, write_private
from windlass.deployments.local.tasklog import failure_reason
from windlass.deployments.services.processes import MARK

pytestmark = pytest.mark.unit


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "state folder")
    layout.prepare()
    return layout


def test_secrets_are_made_once_and_are_private(layout: Layout) -> None:
    first = (layout.stack_id(), layout.jwt_secret(), layout.fernet_key(), layout.admin_password())
    assert first == (layout.stack_id(), layout.jwt_secret(), layout.fernet_key(), layout.admin_password())
    assert len(set(first)) == 4
    for path in [path for path in layout.root.rglob("*") if path.is_file()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for folder in (layout.airflow_home, layout.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not stat.S_IMODE(layout.root.stat().st_mode) & 0o066


def test_a_folder_that_holds_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir(mode=0o755)
    (folder / "letter").touch()
    with pytest.raises(MisuseError, match="holds something else"):
        Layout(folder).prepare()
    assert [path.name for path in folder.iterdir()] == ["letter"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_two_stacks_share_no_secret(layout: Layout, tmp_path: Path) -> None:
    other = Layout(tmp_path / "other")
    other.prepare()
    assert layout.jwt_secret() != other.jwt_secret()
    assert layout.admin_password() != other.admin_password()


def test_a_private_file_is_replaced_whole(layout: Layout) -> None:
    path = layout.root / "file"
    write_private(path, "long first text")
    write_private(path, "short")
    assert path.read_text() == "short"
    assert [entry.name for entry in layout.root.iterdir() if "file" in entry.name] == ["file"]


def test_the_configuration_holds_the_endpoints_and_survives_percent_signs(
    layout: Layout, tmp_path: Path
) -> None:
    configs = tmp_path / "100% mine"
    write_config(
        layout,
        AirflowEndpoints(
            "user=user password=p@ss host=127.0.0.1 port=5 dbname=airflow", "127.0.0.1", 8123, configs, 3
        ),
    )
    parser = configparser.ConfigParser()
    parser.read(layout.airflow_config)
    assert parser["database"]["sql_alchemy_conn"] == "postgresql+psycopg://user:p%40ss@127.0.0.1:5/airflow"
    assert parser["core"]["execution_api_server_url"] == "http://127.0.0.1:8123/execution/"
    (bundle,) = json.loads(parser["dag_processor"]["dag_bundle_config_list"])
    assert bundle["kwargs"]["configs"] == str(configs)
    assert stat.S_IMODE(layout.airflow_config.stat().st_mode) == 0o600


def test_another_airflow_in_the_users_shell_does_not_reach_in(layout: Layout) -> None:
    shell = {
        "AIRFLOW__CORE__EXECUTOR": "Other",
        "AIRFLOW_CONN_X": "y",
        "PGSSLMODE": "require",
        "AIRFLOW_HOME": "/other",
        "PATH": "/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    own = environment(layout, shell, MARK)
    assert own == {
        "AIRFLOW_HOME": str(layout.airflow_home),
        MARK: layout.stack_id(),
        "SPT_NOENV": "1",
        "PATH": "/bin",
        "PYTHONPYCACHEPREFIX": str(layout.root / "pycache"),
    }


def _log(tmp_path: Path, *records: object) -> Path:
    path = tmp_path / "attempt=1.log"
    path.write_text(
        "".join(f"{record if isinstance(record, str) else json.dumps(record)}\n" for record in records)
    )
    return path


def test_the_reason_is_the_last_error_with_its_type(tmp_path: Path) -> None:
    log = _log(
        tmp_path,
        {"event": "::group::", "level": "info"},
        {"event": "first", "level": "error"},
        "not JSON",
        "[1]",
        {
            "event": "Task failed",
            "level": "error",
            "error_detail": [{"exc_type": "LoadError", "exc_value": "line 3\nbad"}],
        },
        {"event": "later", "level": "info"},
    )
    assert failure_reason(log) == "LoadError: line 3\nbad"
    assert failure_reason(log, most_lines=1) == "LoadError: line 3"


def test_an_error_without_detail_gives_its_event(tmp_path: Path) -> None:
    assert failure_reason(_log(tmp_path, {"event": "killed", "level": "critical"})) == "killed"


def test_a_log_that_is_missing_or_silent_is_said_to_be(tmp_path: Path) -> None:
    assert "wrote no log" in failure_reason(tmp_path / "absent.log")
    assert "without an error of its own" in failure_reason(_log(tmp_path, {"event": "fine", "level": "info"}))
