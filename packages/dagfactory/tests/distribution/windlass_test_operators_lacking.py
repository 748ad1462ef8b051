"""A module whose own dependency is not installed."""

import windlass_test_operators_not_installed  # noqa: F401
