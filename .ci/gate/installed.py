"""Shows, from inside an environment of wheels, that modules come from there and what they register loads."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

__all__ = ["check_entry_points", "check_module", "check_scripts"]


def check_module(name: str) -> None:
    """Import a module and make sure that it is the installed one."""
    file = Path(importlib.import_module(name).__file__ or "")
    if not file.is_relative_to(sysconfig.get_path("purelib")):
        raise SystemExit(f"{name} comes from {file}, not from this environment's site-packages")


def check_entry_points() -> int:
    """Load what the project's distributions register under groups of its own; return how many there are."""
    own = [distribution for distribution in distributions() if distribution.name.startswith("windlass-")]
    registered = [entry for distribution in own for entry in distribution.entry_points]
    entries = [entry for entry in registered if entry.group.startswith("windlass.")]
    for entry in entries:
        entry.load()
    return len(entries)


def check_scripts(module: str) -> int:
    """Ask each command of a module's distribution for help; return how many there are."""
    scripts = [
        entry.name
        for distribution in distributions()
        for entry in distribution.entry_points
        if entry.group == "console_scripts" and entry.value.startswith(f"{module}.")
    ]
    for name in scripts:
        command = [str(Path(sys.executable).parent / name), "--help"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            raise SystemExit(f"`{name} --help` fails where only {module} without its extras is installed")
    return len(scripts)


def main() -> None:
    """Check the modules named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--scripts", action="store_true", help="also ask the modules' commands for help")
    arguments = parser.parse_args()
    for module in arguments.modules:
        check_module(module)
        commands = f", {check_scripts(module)} commands" if arguments.scripts else ""
        print(f"ok: {module} is installed{commands}")
    if not arguments.scripts:
        print(f"ok: {check_entry_points()} entry points load")


if __name__ == "__main__":
    main()
