"""The core: a config's bytes in, a checked config or all its mistakes out; Airflow only for class paths.

The command line, the stubs that Airflow parses and the loader all go through `analyse`: they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from windlass.dagfactory.checks import ENOUGH, Call, run_checks
from windlass.dagfactory.diagnostics import Code, Diagnostic, Finding
from windlass.dagfactory.discovery import ConfigFile, is_config_name
from windlass.dagfactory.document import Document, Problem, parse_document, read_bytes, suffix_of
from windlass.dagfactory.errors import ConfigError
from windlass.dagfactory.model import DagConfig, model_findings
from windlass.dagfactory.registry import Registry, default_registry

__all__ = ["Analysis", "analyse", "analyse_all", "analyse_bytes"]


@dataclass(frozen=True)
class Analysis:
    """One config, understood as far as it can be.

    Attributes:
        file: Which config.
        document: Its text and plain data.
        config: The model, or None if the config does not fit it.
        calls: How to construct the operators of the tasks whose operator and args are right.
        findings: What is wrong beyond malformed JSON.
    """

    file: ConfigFile
    document: Document
    config: DagConfig | None
    calls: Mapping[str, Call] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and not self.document.problems

    def diagnostics(self, extra: Sequence[Finding] = ()) -> list[Diagnostic]:
        """Locate every mistake, those in `extra` too, in the order of the file."""
        if self.sound and not extra:
            return []
        return self.document.diagnostics(self.file.name, [*self.findings, *extra])

    def checked(self) -> DagConfig:
        """Return the config.

        Raises:
            ConfigError: It has mistakes.
        """
        if self.config is None or not self.sound:
            raise ConfigError(self.diagnostics())
        return self.config


def analyse(file: ConfigFile, *, registry: Registry | None = None, also_in: Sequence[str] = ()) -> Analysis:
    """Read and check one config file.

    Args:
        file: Which.
        registry: Where short operator names are looked up; what is installed by default.
        also_in: Other configs that claim the same DAG id.
    """
    return analyse_bytes(read_bytes(file.path), file=file, registry=registry, also_in=also_in)


def analyse_bytes(
    data: bytes | Problem, *, file: ConfigFile, registry: Registry | None = None, also_in: Sequence[str] = ()
) -> Analysis:
    """Check the bytes of a config.

    Args:
        data: The file's bytes, or the problem that kept them from being read.
        file: Which file they are from: its name binds the DAG id, its folder the config's files.
        registry: Where short operator names are looked up; what is installed by default.
        also_in: Other configs that claim the same DAG id.
    """
    document = parse_document(data, suffix=suffix_of(file.path))
    if not isinstance(document.data, dict):
        return Analysis(file, document, None)
    config, findings = _validate(document.data)
    found, calls = run_checks(
        document.data, folder=file.folder, expected_id=file.dag_name, registry=registry or default_registry()
    )
    findings += found
    if not is_config_name(file.path.rpartition("/")[2]):
        message = "Airflow finds only files called dag.json or NAME.dag.json (or .yaml, .yml)"
        findings.append(Finding(Code.FILE_NAME, (), message, "rename the file"))
    if also_in:
        findings.append(_duplicate(also_in))
    return Analysis(file, document, config, calls, tuple(findings))


def _validate(data: dict[str, Any]) -> tuple[DagConfig | None, list[Finding]]:
    try:
        return DagConfig.model_validate(data), []
    except ValidationError as error:
        return None, model_findings(error.errors(include_url=False)[:ENOUGH], data)


def _duplicate(also_in: Sequence[str]) -> Finding:
    message = f"this DAG id is claimed by {' and '.join(sorted(also_in))} too"
    return Finding(Code.DUPLICATE_DAG_ID, ("dag_id",), message)


def analyse_all(files: Iterable[ConfigFile], *, registry: Registry | None = None) -> list[Analysis]:
    """Read and check many configs, also against each other.

    Args:
        files: Which.
        registry: Where short operator names are looked up; what is installed by default.

    Returns:
        One analysis a file, in the order given.
    """
    analyses = [analyse(file, registry=registry) for file in files]
    claims: dict[str, list[Analysis]] = {}
    for analysis in analyses:
        claims.setdefault(_dag_id(analysis), []).append(analysis)
    return [_against(analysis, claims[_dag_id(analysis)]) for analysis in analyses]


def _dag_id(analysis: Analysis) -> str:
    data = analysis.document.data
    dag_id = data.get("dag_id") if isinstance(data, dict) else None
    return dag_id if isinstance(dag_id, str) else analysis.file.dag_name


def _against(analysis: Analysis, claimants: list[Analysis]) -> Analysis:
    others = [other.file.name for other in claimants if other is not analysis]
    if not others:
        return analysis
    findings = (*analysis.findings, _duplicate(others))
    return Analysis(analysis.file, analysis.document, analysis.config, analysis.calls, findings)
