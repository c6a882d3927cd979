"""Every write leaves two rows in its own transaction: one for people (audit), one for the daemons (change log)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, inspect

from admin_api.services import Work
from intercom_core.changes.log import Action, Entity, record
from intercom_core.store.schema import Audit, Base, Project
from intercom_core.telemetry.redaction import scrub

Snapshot = dict[str, Any]
_NEVER_SHOWN = frozenset({"password_hash"})


def snapshot(row: Base) -> Snapshot:
    """The row as JSON values, without sealed bytes and password hashes."""
    values = {}
    for column in inspect(row).mapper.column_attrs:
        if column.key in _NEVER_SHOWN or isinstance(column.columns[0].type, LargeBinary):
            continue
        value = getattr(row, column.key)
        values[column.key] = value.isoformat() if isinstance(value, datetime) else value
    return values


def created(
    work: Work, entity: Entity, row: Base, after: Snapshot | None = None, *, project_id: int | None = None
) -> None:
    """Flushes `row` so that it has its id, and records it. `project_id` is for rows that don't hold their own."""
    work.session.flush()
    _both(work, entity, row, Action.CREATED, None, after or snapshot(row), project_id)


def updated(work: Work, entity: Entity, row: Base, before: Snapshot, after: Snapshot | None = None) -> None:
    """Records the fields that differ; an edit that changes nothing leaves no rows."""
    work.session.flush()
    now = after or snapshot(row)
    changed = [key for key in now if before.get(key) != now[key]]
    if changed:
        _both(work, entity, row, Action.UPDATED, {k: before.get(k) for k in changed}, {k: now[k] for k in changed})


def deleted(
    work: Work, entity: Entity, row: Base, before: Snapshot | None = None, *, project_id: int | None = None
) -> None:
    """Records and deletes `row`."""
    _both(work, entity, row, Action.DELETED, before or snapshot(row), None, project_id)
    work.session.delete(row)
    work.session.flush()


def _both(
    work: Work,
    entity: Entity,
    row: Base,
    action: Action,
    before: Snapshot | None,
    after: Snapshot | None,
    project_id: int | None = None,
) -> None:
    key = int(getattr(row, "id", 0))
    if project_id is None:
        project_id = key if isinstance(row, Project) else getattr(row, "project_id", None)
    audit(work, entity, action, key or None, project_id, before, after)
    record(work.session, entity, key, project_id, action)


def audit(
    work: Work,
    entity: Entity,
    action: str,
    entity_id: int | None,
    project_id: int | None,
    before: Snapshot | None = None,
    after: Snapshot | None = None,
) -> None:
    """One audit row, for what is worth telling but changes nothing that daemons follow (a login)."""
    work.session.add(
        Audit(
            at=work.now,
            account_id=work.principal.account_id,
            actor=work.principal.login,
            address=work.principal.address,
            action=action,
            entity=entity,
            entity_id=entity_id,
            project_id=project_id,
            before=scrub(before),
            after=scrub(after),
        )
    )
    work.audited += 1
