"""Operator specs as another package would register them: pydantic only, no Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ConfigFile = Annotated[str, Field(json_schema_extra={"format": "config-file"})]


class LoadFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    file: ConfigFile = Field(description="What to load.")
    table: str = Field(pattern=r"^\w+\.\w+$")
    mode: Literal["replace", "append"] = "append"
    limits: dict[str, int] = Field(default_factory=dict)


class RunSql(BaseModel):
    sql: str | None = None
    sql_file: ConfigFile | None = None
    scripts: list[ConfigFile] = Field(default_factory=list)
    parameters: dict[str, str | int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def one_of(self) -> RunSql:
        if (self.sql is None) == (self.sql_file is None):
            raise ValueError("write either sql or sql_file")
        return self


class Note(BaseModel):
    model_config = ConfigDict(extra="allow")

    text: str = ""
    retries_of_note: int = Field(default=0, alias="retriesOfNote")


class Failing(BaseModel):
    x: str

    @field_validator("x")
    @classmethod
    def fail(cls, value: str) -> str:
        raise TypeError("a slip of the package")


@dataclass(frozen=True)
class Spec:
    name: str
    operator: str
    parameters: type[BaseModel]
    summary: str = ""


LOAD_FILE = Spec("trial.load_file", "windlass_test_operators_airflow.LoadFile", LoadFile, "Load a file.")
RUN_SQL = Spec("trial.run_sql", "windlass_test_operators_airflow.RunSql", RunSql, "Run SQL.")
NOTE = Spec("trial.note", "windlass_test_operators_airflow.Note", Note, "Write a note.")
GONE = Spec("trial.gone", "windlass_test_operators_airflow.Gone", Note, "Its class is not there.")
FAILING = Spec("trial.failing", "windlass_test_operators_airflow.Note", Failing, "Its model fails.")
NO_SPEC = object()
