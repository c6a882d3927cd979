"""The command queue: work for another daemon as rows. pending -> running -> done | failed.

What runs when its executor dies is pending again after the restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from intercom_core.changes.log import Action, Entity, record
from intercom_core.store.schema import Command

RESULT_LIMIT = 255


class CommandKind(StrEnum):
    """CHECK_SYNC: SIP NOTIFY `Event: check-sync`, so that the device pulls its files."""

    CHECK_SYNC = "check_sync"


class CommandState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class QueuedCommand:
    """A claimed command. `attempts` counts this one."""

    id: int
    kind: str
    device_id: int
    project_id: int
    number: str
    payload: dict[str, Any]
    attempts: int


def enqueue(
    session: Session, kind: CommandKind, *, device_id: int, project_id: int, number: str, payload: dict[str, Any]
) -> int:
    """Adds a command and its change row; returns the command id."""
    command = Command(kind=kind, device_id=device_id, project_id=project_id, number=number, payload=payload)
    session.add(command)
    session.flush()
    record(session, Entity.COMMAND, command.id, project_id, Action.CREATED)
    return command.id


def claim(session: Session, kinds: Sequence[CommandKind], now: datetime, limit: int) -> list[QueuedCommand]:
    """Takes the oldest due commands, marks them running. Two claimers never get the same one."""
    due = (
        select(Command)
        .where(Command.state == CommandState.PENDING, Command.kind.in_(kinds), Command.not_before <= now)
        .order_by(Command.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = []
    for row in session.scalars(due):
        row.state = CommandState.RUNNING
        row.attempts += 1
        claimed.append(
            QueuedCommand(row.id, row.kind, row.device_id, row.project_id, row.number, dict(row.payload), row.attempts)
        )
    return claimed


def finish(session: Session, command_id: int, *, ok: bool, result: str, now: datetime) -> None:
    """Ends a command. `result` is a short text for people, without secrets. Unknown ids are ignored: the device may
    have been deleted meanwhile."""
    session.execute(
        update(Command)
        .where(Command.id == command_id)
        .values(state=CommandState.DONE if ok else CommandState.FAILED, result=result[:RESULT_LIMIT], finished_at=now)
    )


def release_running(session: Session, kinds: Sequence[CommandKind]) -> None:
    """At an executor's start: what its predecessor left running is pending again."""
    session.execute(
        update(Command)
        .where(Command.state == CommandState.RUNNING, Command.kind.in_(kinds))
        .values(state=CommandState.PENDING)
    )
