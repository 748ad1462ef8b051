from windlass.deployments.local.cli import main

main()
