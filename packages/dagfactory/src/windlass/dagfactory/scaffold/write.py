"""Writes a pipeline's folder whole or not at all, and never over one that is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass.dagfactory.errors import ScaffoldError
from windlass.dagfactory.scaffold.template import Template

__all__ = ["Pipeline", "Words", "proposed_id", "remove_pipeline", "write_pipeline"]

SCHEMA_FILE = "dag.schema.json"

_WORD = re.compile(r"@@(\w+)@@")
_VERSION = re.compile(r"_v[0-9]+\Z")
_LONGEST_SCHEMA = 63  # PostgreSQL cuts longer identifiers


@dataclass(frozen=True)
class Words:
    """What a pipeline's author says of it.

    Attributes:
        dag_id: The DAG's id, which is the folder's name too.
        description: What it is for; the template's by default.
        schedule: Cron expression or preset.
        timezone: IANA name of the schedule's time zone.
        start_date: Absolute ISO 8601 date.
        owner: Who is responsible.
    """

    dag_id: str
    start_date: str
    description: str | None = None
    schedule: str = "@daily"
    timezone: str = "UTC"
    owner: str = "airflow"


@dataclass(frozen=True)
class Pipeline:
    """What was written.

    Attributes:
        folder: The pipeline's folder.
        files: What is in it, by name.
        schema: The JSON schema that its config names.
    """

    folder: Path
    files: tuple[str, ...]
    schema: Path

    @property
    def config(self) -> Path:
        """The config."""
        return self.folder / "dag.json"


def proposed_id(name: str) -> str:
    """Make a DAG id by the convention out of what somebody typed: `sales_load_v1` out of `Sales load`."""
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")
    plain = plain.lstrip("0123456789_") or "domain_pipeline"
    version = _VERSION.search(plain)
    body = plain[: version.start()] if version else plain
    return f"{body if '_' in body else f'{body}_pipeline'}{version.group() if version else '_v1'}"


def write_pipeline(template: Template, words: Words, *, folder: Path) -> Pipeline:
    """Write a pipeline's folder.

    Args:
        template: What to write.
        words: What is particular about it.
        folder: The folder of configs, in which the pipeline gets a folder named as its DAG.

    Raises:
        ScaffoldError: The folder is there already, or cannot be written.
    """
    target = folder / words.dag_id
    schema = _schema_above(folder) or folder / SCHEMA_FILE
    values = {
        "dag_id": words.dag_id,
        "schema": _VERSION.sub("", words.dag_id)[:_LONGEST_SCHEMA],
        "schema_uri": Path(os.path.relpath(schema, target)).as_posix(),
        "description": words.description or template.description,
        "schedule": words.schedule,
        "timezone": words.timezone,
        "start_date": words.start_date,
        "owner": words.owner,
        "folder": target.as_posix(),
    }
    texts = {name: _filled(name, text, values) for name, text in template.texts.items()}
    if target.exists() or target.is_symlink():
        raise ScaffoldError(str(target), "it is there already; choose another name, or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(target, texts)
    except OSError as error:
        raise ScaffoldError(str(target), f"cannot be written: {error.strerror}") from error
    return Pipeline(target, tuple(sorted(texts)), schema)


def remove_pipeline(pipeline: Pipeline, folders: Iterable[Path] = ()) -> None:
    """Take back what was written, and nothing that somebody else put beside it.

    Args:
        pipeline: What was written.
        folders: Folders around it that were made for it, innermost first.
    """
    for name in pipeline.files:
        (pipeline.folder / name).unlink(missing_ok=True)
    for folder in (pipeline.folder, *folders):
        try:
            folder.rmdir()
        except OSError:  # something else is in there by now
            return


def _filled(name: str, text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        word = values[match[1]]
        return json.dumps(word, ensure_ascii=False)[1:-1] if name.endswith(".json") else word

    return _WORD.sub(value, text)


def _write_whole(target: Path, texts: Mapping[str, str]) -> None:
    """Write beside the target and rename: a folder half written would be a broken DAG."""
    # The leading dot keeps the search for configs out while it is written.
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, text in texts.items():
            (beside / name).write_text(text, encoding="utf-8")
        beside.chmod(0o777 & ~_umask())
        beside.rename(target)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _schema_above(folder: Path) -> Path | None:
    """Find the schema that other configs of the project use already."""
    for above in (folder, *folder.absolute().parents):
        if (above / SCHEMA_FILE).is_file():
            return above / SCHEMA_FILE
        if (above / ".git").exists():
            break
    return None
