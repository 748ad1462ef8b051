"""Make `uv run benchmarks` a command."""

import sys

from harness.cli import main

sys.exit(main())
