"""Writes the configuration that Airflow's services of the local stack read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from windlass.deployments.local.layout import Layout, write_private

__all__ = ["AirflowEndpoints", "environment", "write_config"]


@dataclass(frozen=True)
class AirflowEndpoints:
    """What Airflow connects to and listens on."""

    metadata_dsn: str
    """libpq DSN of Airflow's own database."""
    host: str
    api_port: int
    configs: Path
    parallelism: int

    @property
    def api_url(self) -> str:
        """Base address of the API server and the UI."""
        return f"http://{self.host}:{self.api_port}"


def write_config(layout: Layout, endpoints: AirflowEndpoints) -> None:
    """Write ``airflow.cfg`` (0600: it holds the metadata database's password and the signing keys)."""
    layout.admin_password()
    sections = _sections(layout, endpoints)
    # Airflow's parser expands %: a literal one is doubled.
    text = "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {value.replace('%', '%%')}\n" for key, value in options.items())
        for section, options in sections.items()
    )
    write_private(layout.airflow_config, text)


def environment(layout: Layout, inherited: dict[str, str], mark: str) -> dict[str, str]:
    """The environment of the stack's Airflow processes.

    A setting of some other Airflow or Postgres in the user's shell must not reach into this one.
    """
    foreign = ("AIRFLOW__", "AIRFLOW_CONN_", "PG")
    own = {key: value for key, value in inherited.items() if not key.startswith(foreign)}
    own["AIRFLOW_HOME"] = str(layout.airflow_home)
    own[mark] = layout.stack_id()
    # Airflow names its workers by setproctitle, which else writes over the environment that holds the mark.
    own["SPT_NOENV"] = "1"
    if own.pop("PYTHONDONTWRITEBYTECODE", None):
        # Compiling Airflow anew in each process costs 2 CPU-seconds: keep the bytecode, here.
        own["PYTHONPYCACHEPREFIX"] = str(layout.root / "pycache")
    return own


def _sqlalchemy_url(dsn: str) -> str:
    part = {key: quote(str(value), safe="") for key, value in conninfo_to_dict(dsn).items()}
    account = f"{part['user']}:{part['password']}" if "password" in part else part["user"]
    return f"postgresql+psycopg://{account}@{part['host']}:{part['port']}/{part['dbname']}"


def _sections(layout: Layout, endpoints: AirflowEndpoints) -> dict[str, dict[str, str]]:
    bundles = [
        {
            "name": "configs",
            "classpath": "windlass.dagfactory.bundle.ConfigDagBundle",
            "kwargs": {"configs": str(endpoints.configs)},
        }
    ]
    return {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": str(endpoints.parallelism),
            "max_active_tasks_per_dag": str(endpoints.parallelism),
            "load_examples": "False",
            "dags_are_paused_at_creation": "True",
            # Airflow's default drops an edit made within 30 s of the last one.
            "min_serialized_dag_update_interval": "0",
            "fernet_key": layout.fernet_key(),
            "execution_api_server_url": f"{endpoints.api_url}/execution/",
            "simple_auth_manager_users": "admin:admin",
            "simple_auth_manager_passwords_file": str(layout.passwords),
            "plugins_folder": str(layout.airflow_home / "plugins"),
        },
        "database": {
            "sql_alchemy_conn": _sqlalchemy_url(endpoints.metadata_dsn),
            "load_default_connections": "False",
            # The stack migrates before it starts the services.
            "check_migrations": "False",
        },
        "api": {
            "host": endpoints.host,
            "port": str(endpoints.api_port),
            "base_url": endpoints.api_url,
            "workers": "1",
            "secret_key": layout.jwt_secret(),
        },
        "api_auth": {"jwt_secret": layout.jwt_secret()},
        "logging": {"base_log_folder": str(layout.task_logs), "colored_console_log": "False"},
        "scheduler": {
            "scheduler_idle_sleep_time": "0.1",
            "job_heartbeat_sec": "1",
            "scheduler_heartbeat_sec": "1",
            "enable_health_check": "False",
        },
        # Airflow notices that a task's process is gone only when this runs out: 5 s by default.
        "workers": {"min_heartbeat_interval": "1", "execution_api_retries": "8"},
        "dag_processor": {
            "dag_bundle_config_list": json.dumps(bundles),
            "dag_bundle_storage_path": str(layout.airflow_home / "bundles"),
            "bundle_refresh_check_interval": "1",
            "min_file_process_interval": "600",
            "file_parsing_sort_mode": "modified_time",
            "parsing_processes": "2",
        },
        "triggerer": {"job_heartbeat_sec": "1"},
        "usage_data_collection": {"enabled": "False"},
    }
