"""Runs the command by `python -m windlass.dagfactory.cli`, where scripts are not on PATH."""

from __future__ import annotations

from windlass.dagfactory.cli import main

main()
