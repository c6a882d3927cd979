"""Alembic's entry: runs on the connection that `intercom_core.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from intercom_core.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=True,
    user_module_prefix="types.",
)
with context.begin_transaction():
    context.run_migrations()
