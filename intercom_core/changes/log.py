"""Writing and reading `change_log` rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, func, insert, literal_column, select, text, tuple_
from sqlalchemy.orm import Session

from intercom_core.store.engine import Store
from intercom_core.store.schema import ChangeLog, now_utc

PG_CHANNEL = "intercom_changes"
_MAX_ID = 2**63 - 1
# Ids are handed out before commit, so on PostgreSQL a smaller id may appear after a greater one was read. Ordering by
# transaction id and reading only below the oldest running transaction gives an order that nothing can slip into.
_PG_XID = "pg_current_xact_id()::text::bigint"
_PG_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


class Entity(StrEnum):
    """What a change row is about. `entity_id` is the row id of that table; for registration it is the device's or
    resident's sip_account id, for mac 0."""

    ACCOUNT = "account"
    PROJECT = "project"
    BUILDING = "building"
    APARTMENT = "apartment"
    RESIDENT = "resident"
    MAC = "mac"
    DEVICE = "device"
    SIP_ACCOUNT = "sip_account"
    AUTOP_COMMAND = "autop_command"
    COMMAND = "command"
    REGISTRATION = "registration"
    CLAIM = "claim"


class Action(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the log: everything at or before (xid, id) was read. `xid` is 0 throughout on SQLite."""

    xid: int
    id: int


@dataclass(frozen=True, slots=True)
class Change:
    entity: str
    entity_id: int
    project_id: int | None
    action: str


def record(session: Session, entity: Entity, entity_id: int, project_id: int | None, action: Action) -> None:
    """Adds one change to the writer's transaction; readers see it when, and only if, that commits."""
    postgres = session.get_bind().dialect.name == "postgresql"
    xid: ColumnElement[int] | int = literal_column(_PG_XID) if postgres else 0
    session.execute(
        insert(ChangeLog).values(
            xid=xid, at=now_utc(), entity=entity, entity_id=entity_id, project_id=project_id, action=action
        )
    )
    if postgres:
        session.execute(text(f"NOTIFY {PG_CHANNEL}"))


class ChangeReader:
    """Reads the log in an order in which no change is ever skipped, also with concurrent and aborted writers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def head(self) -> Cursor:
        """The present end. Take it first, then load the state: what the state lacks comes after the cursor."""
        with self._store.read() as session:
            if self._store.is_sqlite:
                return Cursor(0, session.scalar(select(func.max(ChangeLog.id))) or 0)
            horizon: int = session.execute(select(literal_column(_PG_HORIZON))).scalar_one()
            return Cursor(horizon - 1, _MAX_ID)

    def read(self, after: Cursor, limit: int = 1000) -> tuple[list[Change], Cursor]:
        """The next changes, at most `limit`, and the cursor behind them."""
        query = select(ChangeLog.__table__).limit(limit)
        if self._store.is_sqlite:
            query = query.where(ChangeLog.id > after.id).order_by(ChangeLog.id)
        else:
            query = query.where(
                ChangeLog.xid < literal_column(_PG_HORIZON),
                tuple_(ChangeLog.xid, ChangeLog.id) > tuple_(after.xid, after.id),
            ).order_by(ChangeLog.xid, ChangeLog.id)
        with self._store.read() as session:
            rows = session.execute(query).all()
        if not rows:
            return [], after
        changes = [Change(row.entity, row.entity_id, row.project_id, row.action) for row in rows]
        return changes, Cursor(rows[-1].xid, rows[-1].id)
