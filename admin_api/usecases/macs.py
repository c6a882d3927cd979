"""The MAC library: the devices that a project may bind (guide §8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from admin_api.auth import scope
from admin_api.paging import PageQuery
from admin_api.schemas.base import Page
from admin_api.schemas.projects import MacInput, MacView
from admin_api.services import Work
from admin_api.usecases import journal
from intercom_core.changes.log import Entity
from intercom_core.model.errors import ConflictError
from intercom_core.store.schema import Device, MacEntry, Project

_SEPARATORS = str.maketrans("", "", ":-. ")


def add(work: Work, project_id: int, command: MacInput) -> MacView:
    scope.find(work, Project, project_id)
    known = work.session.get(MacEntry, command.mac)
    if known is not None:
        where = "this" if known.project_id == project_id else "another project's"
        raise ConflictError(f"This MAC is in {where} MAC library already.", "mac")
    work.session.add(entry := MacEntry(mac=command.mac, project_id=project_id))
    journal.created(work, Entity.MAC, entry)
    return _view((entry, None))


def list_page(work: Work, project_id: int, page: PageQuery, bound: bool | None) -> Page[MacView]:
    """`bound` True: only those with a device, False: only those without, None: all."""
    scope.find(work, Project, project_id)
    query = _with_device().where(MacEntry.project_id == project_id, MacEntry.mac > page.after)
    if bound is not None:
        query = query.where(Device.id.is_not(None) if bound else Device.id.is_(None))
    if page.q:
        query = query.where(MacEntry.mac.contains(page.q.translate(_SEPARATORS).upper(), autoescape=True))
    rows = work.session.execute(query.order_by(MacEntry.mac).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row[0].mac)
    return Page(items=[_view(row) for row in items], next=following)


def remove(work: Work, project_id: int, mac: str) -> None:
    entry = scope.find(work, MacEntry, mac, lock=True)
    if entry.project_id != project_id:
        raise scope.absent()
    device = work.session.scalar(select(Device).where(Device.mac == mac))
    if device is not None:
        raise ConflictError(f"This MAC is bound to the device {device.id} ({device.location}).", "mac")
    journal.deleted(work, Entity.MAC, entry)


def _with_device() -> Select[*tuple[Any, ...]]:
    return select(MacEntry, Device).outerjoin(Device, Device.mac == MacEntry.mac)


def _view(row: Sequence[Any]) -> MacView:
    entry, device = row
    return MacView(
        mac=entry.mac,
        community_id=entry.project_id,
        device_id=device.id if device else None,
        building_id=device.building_id if device else None,
        apartment_id=device.apartment_id if device else None,
        created_at=entry.created_at,
    )
