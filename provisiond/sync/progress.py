"""How far a device's files have come, and when the device must be told. Pure rule, and its writing to the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session, aliased

from intercom_core.store.commands import CommandKind, CommandState, enqueue
from intercom_core.store.schema import Command, Device, DeviceConfig, RegistrationStatus, SipAccount

# Devices of one transaction, so that others who write wait some tens of milliseconds at most.
BATCH = 50


@dataclass(frozen=True, slots=True)
class Progress:
    """Digests, empty when there is none yet. `notified` is one that the device was told of and has not pulled.

    `claimed`: the device has its bootstrap file, so it pulls, even if no pull of it was recorded: what it pulled in the
    last moment before a crash is not.
    """

    desired: str = ""
    notified: str = ""
    served: str = ""
    claimed: bool = False


def advance(progress: Progress, desired: str) -> tuple[Progress, bool]:
    """The next progress when `desired` is what is served now, and whether the device is to be told.

    A device that neither has its bootstrap file nor was ever served is not told: it comes by itself. One that has what
    is desired needs no telling, and an older telling is then forgotten, so that a later return to that digest is told
    again.
    """
    new = not progress.served and not progress.claimed
    if new or progress.served == desired:
        return replace(progress, desired=desired, notified=""), False
    return replace(progress, desired=desired, notified=desired), progress.notified != desired


@dataclass(frozen=True, slots=True)
class Target:
    """A device and the digest of its present files. `number` None: it can't be told, having no SIP account."""

    device_id: int
    project_id: int
    number: str | None
    digest: str


def settle(session: Session, targets: Sequence[Target]) -> int:
    """Stores the desired digests and queues a check-sync for each device to be told; returns how many were queued.

    The stored progress decides, so doing it twice, or in two processes, queues nothing twice.
    """
    known = _progress(session, [target.device_id for target in targets])
    queued = 0
    for target in targets:
        if target.device_id in known:
            queued += _store(session, target, known[target.device_id], target.digest)
    return queued


def _store(session: Session, target: Target, stored: Progress | None, desired: str) -> bool:
    if stored is None:
        session.execute(insert(DeviceConfig).values(device_id=target.device_id, desired_digest=desired))
        return False
    following, tell = advance(stored, desired)
    if tell and target.number is None:
        following, tell = replace(following, notified=stored.notified), False
    if following != stored:
        session.execute(
            update(DeviceConfig)
            .where(DeviceConfig.device_id == target.device_id)
            .values(desired_digest=following.desired, notified_digest=following.notified)
        )
    if tell:
        _enqueue(session, target.device_id, target.project_id, target.number or "")
    return tell


def record_served(session: Session, targets: Iterable[Target], at: datetime) -> int:
    """Stores that each device has pulled the files of `digest`; returns how many check-syncs that led to.

    A device that pulled just before its files changed is told now, if it was not: the change took it for up to date.
    """
    chosen = list(targets)
    known = _progress(session, [target.device_id for target in chosen])
    queued = 0
    for target in chosen:
        stored = known.get(target.device_id)
        if stored is None:
            continue
        session.execute(
            update(DeviceConfig)
            .where(DeviceConfig.device_id == target.device_id)
            .values(served_digest=target.digest, served_at=at)
        )
        queued += _store(session, target, replace(stored, served=target.digest), stored.desired)
    return queued


def tell_again(session: Session, account_ids: Collection[int] | None = None) -> int:
    """Queues a check-sync for each device that is on line, was told in vain (it was away, or did not answer) and still
    has not pulled; returns how many. `account_ids`: only those with one of these SIP accounts."""
    each = aliased(Command)
    latest = select(func.max(each.id)).where(each.device_id == Device.id, each.kind == CommandKind.CHECK_SYNC.value)
    waiting = (
        select(Device.id, Device.project_id, SipAccount.number)
        .join(SipAccount, SipAccount.device_id == Device.id)
        .join(RegistrationStatus, RegistrationStatus.number == SipAccount.number)
        .join(DeviceConfig, DeviceConfig.device_id == Device.id)
        .join(Command, Command.id == latest.correlate(Device).scalar_subquery())
        .where(
            RegistrationStatus.online,
            DeviceConfig.notified_digest == DeviceConfig.desired_digest,
            DeviceConfig.served_digest != DeviceConfig.desired_digest,
            Command.state == CommandState.FAILED.value,
        )
        .order_by(Device.id)
    )
    if account_ids is not None:
        waiting = waiting.where(SipAccount.id.in_(account_ids))
    rows = session.execute(waiting).all()
    for device_id, project_id, number in rows:
        _enqueue(session, device_id, project_id, number)
    return len(rows)


def _enqueue(session: Session, device_id: int, project_id: int, number: str) -> None:
    enqueue(session, CommandKind.CHECK_SYNC, device_id=device_id, project_id=project_id, number=number, payload={})


def _progress(session: Session, device_ids: list[int]) -> dict[int, Progress | None]:
    """Of the devices that exist; None for one without a row."""
    table = DeviceConfig
    rows = session.execute(
        select(Device.id, Device.claimed_at, table.desired_digest, table.notified_digest, table.served_digest)
        .outerjoin(table, table.device_id == Device.id)
        .where(Device.id.in_(device_ids))
    )
    return {
        device_id: None if desired is None else Progress(desired, notified, served, claimed_at is not None)
        for device_id, claimed_at, desired, notified, served in rows
    }
