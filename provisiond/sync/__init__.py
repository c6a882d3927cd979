"""Keeps what is served in step with the database, and has devices told when their files changed."""
