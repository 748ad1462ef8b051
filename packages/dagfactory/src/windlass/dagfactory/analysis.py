"""The core: a config's bytes in, a checked config or all its mistakes out; Airflow only for class paths.

The command line, the stubs that Airflow parses and the loader all go through `analyse`: they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from pydantic import ValidationError

from windlass.dagfactory.checks import ENOUGH, Call, run_checks
from windlass.dagfactory.checks.naming import right_name
from windlass.dagfactory.checks.operators import known_parameters
from windlass.dagfactory.checks.secrets import check_secrets
from windlass.dagfactory.diagnostics import Code, Diagnostic, Finding
from windlass.dagfactory.discovery import ConfigFile, is_config_name
from windlass.dagfactory.document import Document, Problem, parse_document, read_bytes, suffix_of
from windlass.dagfactory.errors import ConfigError
from windlass.dagfactory.layers import ChainReader, Resolved, resolve
from windlass.dagfactory.model import DagConfig
from windlass.dagfactory.registry import Registry, default_registry

__all__ = ["Analysis", "analyse", "analyse_all", "analyse_bytes", "check_defaults"]


@dataclass(frozen=True)
class Analysis:
    """One config, understood as far as it can be.

    Attributes:
        file: Which config.
        resolved: The files that have a share in it, folders' defaults too, and what they say together.
        config: The model, or None if the config does not fit it.
        calls: How to construct the operators of the tasks whose operator and args are right.
        findings: What is wrong beyond what is wrong with each file by itself.
    """

    file: ConfigFile
    resolved: Resolved
    config: DagConfig | None
    calls: Mapping[str, Call] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def document(self) -> Document:
        """The config's own text and plain data."""
        return self.resolved.layers[-1].document

    @property
    def data(self) -> Mapping[str, Any]:
        """What holds: the config's data over its folders' defaults, with variables replaced."""
        return self.resolved.data

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and self.resolved.sound

    def diagnostics(self, extra: Sequence[Finding] = ()) -> list[Diagnostic]:
        """Locate every mistake, those in `extra` too, in the order of files, farthest first, and lines."""
        if self.sound and not extra:
            return []
        return self.resolved.diagnostics([*self.findings, *extra])

    def checked(self) -> DagConfig:
        """Return the config.

        Raises:
            ConfigError: It has mistakes.
        """
        if self.config is None or not self.sound:
            raise ConfigError(self.diagnostics())
        return self.config


def analyse(
    file: ConfigFile,
    *,
    registry: Registry | None = None,
    also_in: Sequence[str] = (),
    folders: ChainReader | None = None,
) -> Analysis:
    """Read and check one config file.

    Args:
        file: Which.
        registry: Where short operator names are looked up; what is installed by default.
        also_in: Other configs that claim the same DAG id.
        folders: Reads folders' defaults; one for many configs reads each once.
    """
    data = read_bytes(file.path)
    return analyse_bytes(data, file=file, registry=registry, also_in=also_in, folders=folders)


def analyse_bytes(
    data: bytes | Problem,
    *,
    file: ConfigFile,
    registry: Registry | None = None,
    also_in: Sequence[str] = (),
    folders: ChainReader | None = None,
) -> Analysis:
    """Check the bytes of a config.

    Args:
        data: The file's bytes, or the problem that kept them from being read.
        file: Which file they are from: its name binds the DAG id, its folder the config's files, and with
            its root it tells whose defaults count.
        registry: Where short operator names are looked up; what is installed by default.
        also_in: Other configs that claim the same DAG id.
        folders: Reads folders' defaults; one for many configs reads each once.
    """
    document = parse_document(data, suffix=suffix_of(file.path))
    resolved = resolve(file, document, (folders or ChainReader(check_defaults)).chain(file))
    if not isinstance(document.data, dict):
        return Analysis(file, resolved, None)
    registry = registry or default_registry()
    config, findings = _validate(resolved.data, registry)
    found, calls = run_checks(resolved.data, folder=file.folder, expected_id=file.dag_name, registry=registry)
    findings += found
    name = file.path.rpartition("/")[2]
    if not is_config_name(name):
        message = "Airflow finds only files called dag.json or NAME.dag.json (or .yaml, .yml)"
        findings.append(Finding(Code.FILE_NAME, (), message, f'rename it "{right_name(name)}"'))
    if also_in:
        findings.append(_duplicate(also_in))
    return Analysis(file, resolved, config, calls, tuple(findings))


def check_defaults(data: dict[str, Any]) -> list[Finding]:
    """Find what is wrong with a folder's defaults by themselves: kinds and keys, not what goes with what."""
    whole = {**data, "dag_id": "a_folder_v1", "tasks": {"any": {"operator": "any"}}}
    found = [
        finding
        for finding in _validate(whole, default_registry())[1]
        if finding.path and finding.path[0] in data
    ]
    return [*found, *islice(check_secrets(data), ENOUGH)]


def _validate(data: dict[str, Any], registry: Registry) -> tuple[DagConfig | None, list[Finding]]:
    try:
        return DagConfig.model_validate(data), []
    except ValidationError as error:
        from windlass.dagfactory.model.findings import model_findings  # all its advice is for mistakes only

        errors = error.errors(include_url=False)[:ENOUGH]
        return None, model_findings(errors, data, lambda name: known_parameters(name, registry))


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
    folders = ChainReader(check_defaults)
    analyses = [analyse(file, registry=registry, folders=folders) for file in files]
    claims: dict[str, list[Analysis]] = {}
    for analysis in analyses:
        claims.setdefault(_dag_id(analysis), []).append(analysis)
    return [_against(analysis, claims[_dag_id(analysis)]) for analysis in analyses]


def _dag_id(analysis: Analysis) -> str:
    dag_id = analysis.data.get("dag_id")
    return dag_id if isinstance(dag_id, str) else analysis.file.dag_name


def _against(analysis: Analysis, claimants: list[Analysis]) -> Analysis:
    others = [other.file.name for other in claimants if other is not analysis]
    if not others:
        return analysis
    findings = (*analysis.findings, _duplicate(others))
    return replace(analysis, findings=findings)
