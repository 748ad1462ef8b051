"""The gate's own checks: standard library alone, so that they run before any environment is made."""
