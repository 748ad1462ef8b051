"""What can go wrong while a deployment starts, runs or stops, each with what to do next.

DeploymentError             base: ``message`` says what happened, ``advice`` what to do
+-- MisuseError                  the command was called in a way it cannot serve (exit code 2)
+-- StateInUseError              another live command holds the state folder
+-- PortTakenError               a port that was asked for by number is not free
+-- ConfigRejectedError          the user's configs have findings; ``diagnostics`` holds their text
+-- ServiceFailedError           a part of the platform did not start, or died and stayed dead
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "ConfigRejectedError",
    "DeploymentError",
    "MisuseError",
    "PortTakenError",
    "ServiceFailedError",
    "StateInUseError",
]


class DeploymentError(Exception):
    """Base of everything a deployment reports to its user.

    Args:
        message: What happened, with names and numbers.
        advice: What the user can do now.
    """

    exit_code = 1

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}\n  what to do: {self.advice}"


class MisuseError(DeploymentError):
    """The command was called in a way it cannot serve."""

    exit_code = 2


class StateInUseError(DeploymentError):
    """Another live command holds the state folder."""

    def __init__(self, state_dir: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"The state folder {state_dir} is in use by {holder}.",
            "Wait for it, stop it with Ctrl-C, or run beside it with --state-dir OTHER_FOLDER.",
        )
        self.args = (state_dir, pid)
        self.state_dir = state_dir
        self.pid = pid


class PortTakenError(DeploymentError):
    """A port that was asked for by number is not free."""

    def __init__(self, port: int, option: str) -> None:
        super().__init__(
            f"Port {port} is taken by another program.",
            f"Stop that program, or pass {option} with a free port (leave it out to have one chosen).",
        )
        self.args = (port, option)
        self.port = port
        self.option = option


class ConfigRejectedError(DeploymentError):
    """The user's configs have findings, so nothing was started."""

    def __init__(self, diagnostics: str) -> None:
        super().__init__(diagnostics, "Mend the config and run the command again; nothing was started.")
        self.args = (diagnostics,)
        self.diagnostics = diagnostics


class ServiceFailedError(DeploymentError):
    """A part of the platform did not start, or died and stayed dead."""

    def __init__(self, service: str, reason: str, log: Path | None = None) -> None:
        where = f"Read {log}, then run the command again." if log else "Run the command again."
        super().__init__(f"{service}: {reason}", where)
        self.args = (service, reason, log)
        self.service = service
        self.reason = reason
        self.log = log
