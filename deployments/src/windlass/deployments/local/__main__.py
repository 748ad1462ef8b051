"""Makes `python -m windlass.deployments.local` work."""

from windlass.deployments.local.cli import main

main()
