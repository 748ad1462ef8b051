"""Runs the whole platform with real parts; every deployment has the same verbs with the same meaning."""
