"""Makes `uv run deployments/local` work."""

from windlass.deployments.local.cli import main

main()
