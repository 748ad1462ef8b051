"""Operators under the names that people know from elsewhere: a class, a path of Airflow 2, a word."""

from __future__ import annotations

from windlass.dagfactory.diagnostics import Code, Finding, JsonPath
from windlass.dagfactory.registry import Registry

__all__ = ["former_path", "known_otherwise"]

_FORMER = ("airflow.operators.", "airflow.sensors.", "airflow.contrib.")
"""Where operators were in Airflow 2. Airflow 3 has nothing there but names that lead on, with a warning."""
_STANDARD = "airflow.providers.standard"
_SQL = "airflow.providers.common.sql"
_CLASSES = {
    "BashOperator": f"{_STANDARD}.operators.bash",
    "BashSensor": f"{_STANDARD}.sensors.bash",
    "BranchDateTimeOperator": f"{_STANDARD}.operators.datetime",
    "BranchDayOfWeekOperator": f"{_STANDARD}.operators.weekday",
    "BranchExternalPythonOperator": f"{_STANDARD}.operators.python",
    "BranchPythonOperator": f"{_STANDARD}.operators.python",
    "BranchPythonVirtualenvOperator": f"{_STANDARD}.operators.python",
    "BranchSQLOperator": f"{_SQL}.operators.sql",
    "DateTimeSensor": f"{_STANDARD}.sensors.date_time",
    "DateTimeSensorAsync": f"{_STANDARD}.sensors.date_time",
    "DayOfWeekSensor": f"{_STANDARD}.sensors.weekday",
    "EmailOperator": "airflow.providers.smtp.operators.smtp",
    "EmptyOperator": f"{_STANDARD}.operators.empty",
    "ExternalPythonOperator": f"{_STANDARD}.operators.python",
    "ExternalTaskMarker": f"{_STANDARD}.sensors.external_task",
    "ExternalTaskSensor": f"{_STANDARD}.sensors.external_task",
    "FileSensor": f"{_STANDARD}.sensors.filesystem",
    "GenericTransfer": f"{_SQL}.operators.generic_transfer",
    "HttpOperator": "airflow.providers.http.operators.http",
    "HttpSensor": "airflow.providers.http.sensors.http",
    "LatestOnlyOperator": f"{_STANDARD}.operators.latest_only",
    "PythonOperator": f"{_STANDARD}.operators.python",
    "PythonSensor": f"{_STANDARD}.sensors.python",
    "PythonVirtualenvOperator": f"{_STANDARD}.operators.python",
    "ShortCircuitOperator": f"{_STANDARD}.operators.python",
    "SmoothOperator": f"{_STANDARD}.operators.smooth",
    "SqlSensor": f"{_SQL}.sensors.sql",
    "SQLCheckOperator": f"{_SQL}.operators.sql",
    "SQLColumnCheckOperator": f"{_SQL}.operators.sql",
    "SQLExecuteQueryOperator": f"{_SQL}.operators.sql",
    "SQLTableCheckOperator": f"{_SQL}.operators.sql",
    "SQLValueCheckOperator": f"{_SQL}.operators.sql",
    "TimeDeltaSensor": f"{_STANDARD}.sensors.time_delta",
    "TimeDeltaSensorAsync": f"{_STANDARD}.sensors.time_delta",
    "TimeSensor": f"{_STANDARD}.sensors.time",
    "TriggerDagRunOperator": f"{_STANDARD}.operators.trigger_dagrun",
}
"""Module of each class that the documentation of Airflow and of dag-factory names."""
_NOW = {
    "DummyOperator": "EmptyOperator",
    "SimpleHttpOperator": "HttpOperator",
    **dict.fromkeys(
        (
            "MsSqlOperator",
            "MySqlOperator",
            "OracleOperator",
            "PostgresOperator",
            "SnowflakeOperator",
            "SqliteOperator",
        ),
        "SQLExecuteQueryOperator",
    ),
}
_SHORT = {
    "BashOperator": "airflow.bash",
    "BranchPythonOperator": "airflow.branch",
    "DateTimeSensor": "airflow.wait_until",
    "DateTimeSensorAsync": "airflow.wait_until",
    "EmptyOperator": "airflow.empty",
    "ExternalTaskSensor": "airflow.wait_for_dag",
    "FileSensor": "airflow.wait_for_file",
    "PythonOperator": "airflow.python",
    "ShortCircuitOperator": "airflow.short_circuit",
    "TriggerDagRunOperator": "airflow.trigger_dag",
}
_WORDS = {"@task": "airflow.python", "task": "airflow.python", "airflow.decorators.task": "airflow.python"}


def known_otherwise(name: str, registry: Registry) -> str | None:
    """Guess what is meant by an operator that nothing is registered as.

    Args:
        name: What the config says.
        registry: Where short names are looked up.
    """
    word = name.rpartition(".")[2]
    if word[:1].isupper():
        unknown = f'write the class with its module: "package.module.{word}"' if word == name else None
        return _advice(word) or unknown
    if name in _WORDS:
        return f'write "{_WORDS[name]}", with the function under args: "callable": "package.module.function"'
    classes = {known.lower(): known for known in (*_CLASSES, *_NOW)}
    if word.replace("_", "") in classes:
        return _advice(classes[word.replace("_", "")])
    same = [known for known in registry.names() if known.rpartition(".")[2] == word]
    return f"did you mean {' or '.join(map(_quoted, same))}?" if same else None


def _advice(name: str) -> str | None:
    """Say how configs name a class."""
    now = _NOW.get(name, name)
    module = _CLASSES.get(now)
    if module is None:
        return None
    path = f'the class path "{module}.{now}"'
    return f'write "{_SHORT[now]}", or {path}' if now in _SHORT else f"write {path}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def former_path(name: str, path: JsonPath) -> Finding | None:
    """Report a class path of Airflow 2, known by what is there now.

    Args:
        name: The class path.
        path: Where it stands.
    """
    advice = _advice(name.rpartition(".")[2]) if name.startswith(_FORMER) else None
    if advice is None:
        return None
    message = f'"{name}" is a path of Airflow 2, from which Airflow 3 at best leads on with a warning'
    return Finding(Code.FORMER_OPERATOR, path, message, advice)
