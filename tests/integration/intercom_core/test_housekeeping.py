"""Old rows go, young ones and unfinished ones stay, on both databases."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from intercom_core.model.account import Role
from intercom_core.store import housekeeping
from intercom_core.store.engine import Store
from intercom_core.store.housekeeping import CHANGES_KEPT, COMMANDS_KEPT, forget_old
from intercom_core.store.schema import Account, ChangeLog, Command, LoginSession, now_utc

HOUR = timedelta(hours=1)


def test_old_changes_and_ended_sessions_are_forgotten_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    now = now_utc()
    ages = [CHANGES_KEPT + HOUR] * 5 + [CHANGES_KEPT - HOUR] * 2
    with store.write() as session:
        session.execute(
            insert(ChangeLog),
            [{"xid": 0, "at": now - age, "entity": "device", "entity_id": 1, "action": "updated"} for age in ages],
        )
        account = Account(role=Role.INSTALLER, login="ryan", password_hash="")
        session.add(account)
        session.flush()
        for token, end in ((b"old", now - HOUR), (b"new", now + HOUR)):
            session.add(LoginSession(token_sha256=token, account_id=account.id, expires_at=end))
    assert forget_old(store, now) == 6
    assert forget_old(store, now) == 0
    with store.read() as session:
        assert len(session.scalars(select(ChangeLog.id)).all()) == 2
        assert session.scalars(select(LoginSession.token_sha256)).all() == [b"new"]


def test_only_commands_that_ended_long_ago_are_forgotten(sqlite_store: Store) -> None:
    now = now_utc()
    ends = {1: now - COMMANDS_KEPT - HOUR, 2: now - COMMANDS_KEPT + HOUR, 3: None}
    # A connection of its own does not ask for the devices behind the commands.
    with sqlite3.connect(sqlite_store.engine.url.database or "") as connection:
        for key, end in ends.items():
            values = (key, end.strftime("%Y-%m-%d %H:%M:%S.%f") if end else None)
            connection.execute(
                "INSERT INTO command (id, kind, project_id, device_id, number, payload, state, attempts, result,"
                " not_before, created_at, finished_at)"
                " VALUES (?, 'check_sync', 1, 1, '', '{}', 'x', 1, '', '2020-01-01', '2020-01-01', ?)",
                values,
            )
    connection.close()
    assert forget_old(sqlite_store, now) == 1
    with sqlite_store.read() as session:
        assert session.scalars(select(Command.id).order_by(Command.id)).all() == [2, 3]
