"""Persistent Autop commands of a device (guide §7.1.6)."""

from __future__ import annotations

from sqlalchemy import func, select

from admin_api.auth import scope
from admin_api.schemas.base import Page
from admin_api.schemas.devices import AutopCommandInput, AutopCommandView
from admin_api.services import Work
from admin_api.usecases import journal
from intercom_core.changes.log import Entity
from intercom_core.model.errors import ConflictError
from intercom_core.store.schema import AutopCommand, Device

COMMANDS_PER_DEVICE = 200


def add(work: Work, device_id: int, command: AutopCommandInput) -> AutopCommandView:
    device = scope.find(work, Device, device_id, lock=True)
    count = work.session.scalar(select(func.count()).where(AutopCommand.device_id == device_id)) or 0
    if count >= COMMANDS_PER_DEVICE:
        raise ConflictError(f"A device has at most {COMMANDS_PER_DEVICE} Autop commands.")
    row = AutopCommand(device_id=device_id, line=command.line)
    work.session.add(row)
    journal.created(work, Entity.AUTOP_COMMAND, row, project_id=device.project_id)
    return AutopCommandView.model_validate(row, from_attributes=True)


def list_all(work: Work, device_id: int) -> Page[AutopCommandView]:
    """All of them in one page: they are few, and their order is the order in the device's file."""
    scope.find(work, Device, device_id)
    rows = work.session.scalars(
        select(AutopCommand).where(AutopCommand.device_id == device_id).order_by(AutopCommand.id)
    )
    return Page(items=[AutopCommandView.model_validate(row, from_attributes=True) for row in rows], next=None)


def remove(work: Work, device_id: int, command_id: int) -> None:
    device = scope.find(work, Device, device_id, lock=True)
    row = work.session.get(AutopCommand, command_id)
    if row is None or row.device_id != device_id:
        raise scope.absent()
    journal.deleted(work, Entity.AUTOP_COMMAND, row, project_id=device.project_id)
