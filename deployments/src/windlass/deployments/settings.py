"""The settings of every deployment: flags over environment over ``.env`` over defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["ENV_PREFIX", "Settings", "project_root"]

ENV_PREFIX = "WINDLASS_"
Port = Annotated[int, Field(ge=1, le=65535)]


def project_root(start: Path | None = None) -> Path:
    """The folder that holds ``examples/`` and ``deployments/``.

    Looked for upwards from `start` (the working folder when left out), then from this file; the working
    folder itself where neither is inside a checkout.
    """
    here = (start or Path.cwd()).resolve()
    for folder in [here, *here.parents, *Path(__file__).resolve().parents]:
        if (folder / "examples").is_dir() and (folder / "deployments").is_dir():
            return folder
    return here


class Settings(BaseSettings):
    """What a user may set; each field is ``WINDLASS_<NAME>`` in the environment and in ``.env``."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_file=".env", extra="ignore")

    state_dir: Path = Field(
        default_factory=lambda: project_root() / ".windlass" / "local",
        description="Folder that holds everything the local stack writes: database, logs, generated files.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the servers listen on.")
    api_port: Port | None = Field(
        default=None,
        description="Port of Airflow's API server and UI; a free one when left out (--keep: 8080).",
    )
    postgres_port: Port | None = Field(
        default=None,
        description="Port of the embedded Postgres; a free one, then always the same, when left out.",
    )
    seed: int = Field(default=42, ge=0, lt=2**63, description="Seed of the generated data.")
    scale: float = Field(default=1.0, gt=0, le=10_000, description="1 is 100,000 sales and 1,000 customers.")
    parallelism: int = Field(default=4, ge=1, le=64, description="Tasks that may run at the same time.")
    start_timeout: float = Field(
        default=120.0, gt=0, description="Seconds that a service may take to become healthy."
    )
    run_timeout: float = Field(default=600.0, gt=0, description="Seconds that the demo's DAG run may take.")

    @field_validator("state_dir", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if value == "":
            raise ValueError("an empty path would be the working folder; name a folder")
        return value

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.api_port is not None and self.api_port == self.postgres_port:
            raise ValueError("the API server and Postgres cannot share one port")
        return self
