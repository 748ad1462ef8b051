"""The operator classes behind the specs: imported only when a DAG is built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier, BaseOperator


class LoadFile(BaseOperator):
    template_fields = ("table",)

    def __init__(
        self, *, file: str, table: str, mode: str = "append", limits: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.file, self.table, self.mode, self.limits = file, table, mode, limits

    def execute(self, context: Any) -> int:
        return len(Path(self.file).read_text().splitlines())


class RunSql(BaseOperator):
    template_fields = ("sql", "sql_file", "parameters")

    def __init__(
        self,
        *,
        sql: str | None = None,
        sql_file: str | None = None,
        scripts: Any = (),
        parameters: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql, self.sql_file, self.scripts, self.parameters = sql, sql_file, scripts, parameters

    def execute(self, context: Any) -> str | None:
        return Path(self.sql_file).read_text() if self.sql_file else self.sql


class Note(BaseOperator):
    def __init__(self, *, text: str = "", retries_of_note: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if text == "refuse me":
            raise ValueError("this text is not allowed")
        if text == "exit":
            sys.exit(7)
        self.text = text

    def execute(self, context: Any) -> str:
        return self.text


class Sql(BaseOperator):
    template_fields = ("sql",)
    template_ext = ".sql"

    def __init__(self, *, sql: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql = sql


class OwnWay(Sql):
    def render_template_fields(self, *arguments: Any, **more: Any) -> None:
        pass


class Picky(BaseNotifier):
    def __init__(self, room: str) -> None:
        super().__init__()
        if room == "nowhere":
            raise ValueError("no such room")

    def notify(self, context: Any) -> None:
        pass
