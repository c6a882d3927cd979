"""Logs, metrics and health of a daemon."""
