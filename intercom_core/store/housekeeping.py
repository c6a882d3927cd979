"""What may be forgotten: rows that only matter for a while. The audit trail is not among them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute

from intercom_core.store.engine import Store
from intercom_core.store.schema import ChangeLog, Command, LoginSession

# Readers of the change log are seconds behind, and one that starts reads from the end.
CHANGES_KEPT = timedelta(days=7)
COMMANDS_KEPT = timedelta(days=30)
BATCH = 2000


def forget_old(store: Store, now: datetime) -> int:
    """Deletes old changes, finished commands and ended sessions, in short transactions; returns how many rows."""
    return (
        _delete(store, ChangeLog.id, ChangeLog.at < now - CHANGES_KEPT)
        + _delete(store, Command.id, Command.finished_at < now - COMMANDS_KEPT)
        + _delete(store, LoginSession.token_sha256, LoginSession.expires_at < now)
    )


def _delete(store: Store, key: InstrumentedAttribute[Any], condition: ColumnElement[bool]) -> int:
    deleted = 0
    while True:
        with store.write() as session:
            keys = list(session.scalars(select(key).where(condition).order_by(key).limit(BATCH)))
            session.execute(delete(key.class_).where(key.in_(keys)))
        deleted += len(keys)
        if len(keys) < BATCH:
            return deleted
