"""What all benchmarks share: measuring two sides in turn, telling the result, and the command line.

A benchmark is a module in `suites/`, found by its file name (one that begins with `_` is none):

- its docstring's first line is what the list shows,
- `run(arguments) -> Iterable[Row]` measures and yields what is compared,
- `options(parser)`, if it is there, adds options of its own to an `argparse` parser,
- `VERSIONS`, if it is there, names distributions whose versions are told.
"""

from __future__ import annotations

from harness.measure import Cost, alternate, measured, run_process
from harness.peer import peer_environment
from harness.result import Result, Row, Side

__all__ = ["Cost", "Result", "Row", "Side", "alternate", "measured", "peer_environment", "run_process"]
