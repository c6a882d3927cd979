"""Devices as people see them: settings, relays, number, status, files and claim; three statements for any page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, or_, select

from admin_api.auth import scope
from admin_api.paging import PageQuery
from admin_api.schemas.base import Page
from admin_api.schemas.devices import ClaimView, CommandView, ConfigView, DeviceView, RelayView
from admin_api.services import Work
from admin_api.usecases import presence
from intercom_core.store.commands import CommandState
from intercom_core.store.schema import (
    Command,
    Device,
    DeviceConfig,
    DeviceRelay,
    Project,
    RegistrationStatus,
    SipAccount,
)

_WAITING = (CommandState.PENDING, CommandState.RUNNING)


def list_page(work: Work, project_id: int, page: PageQuery) -> Page[DeviceView]:
    scope.find(work, Project, project_id)
    query = _with_state().where(Device.project_id == project_id, Device.id > page.after_id)
    if page.q:
        mac = page.q.translate(str.maketrans("", "", ":-. ")).upper()
        query = query.where(
            or_(
                Device.location.icontains(page.q, autoescape=True),
                SipAccount.number.startswith(page.q, autoescape=True),
                *([Device.mac.contains(mac, autoescape=True)] if mac else []),
            )
        )
    rows = work.session.execute(query.order_by(Device.id).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row[0].id)
    return Page(items=_views(work, items), next=following)


def get(work: Work, device_id: int) -> DeviceView:
    scope.find(work, Device, device_id)
    return _views(work, work.session.execute(_with_state().where(Device.id == device_id)).all())[0]


def commands(work: Work, device_id: int, page: PageQuery) -> Page[CommandView]:
    """Newest first."""
    scope.find(work, Device, device_id)
    query = select(Command).where(Command.device_id == device_id)
    if page.after:
        query = query.where(Command.id < page.after_id)
    rows = work.session.scalars(query.order_by(Command.id.desc()).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row.id)
    return Page(items=[CommandView.model_validate(row, from_attributes=True) for row in items], next=following)


def _with_state() -> Select[*tuple[Any, ...]]:
    return (
        select(Device, SipAccount.number, RegistrationStatus, DeviceConfig)
        .outerjoin(SipAccount, SipAccount.device_id == Device.id)
        .outerjoin(RegistrationStatus, RegistrationStatus.number == SipAccount.number)
        .outerjoin(DeviceConfig, DeviceConfig.device_id == Device.id)
    )


def _views(work: Work, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[DeviceView]:
    ids = [row[0].id for row in rows]
    relays: dict[int, list[RelayView]] = {}
    for relay in work.session.scalars(
        select(DeviceRelay).where(DeviceRelay.device_id.in_(ids)).order_by(DeviceRelay.device_id, DeviceRelay.position)
    ):
        relays.setdefault(relay.device_id, []).append(RelayView.model_validate(relay, from_attributes=True))
    waiting = dict(
        work.session.execute(
            select(Command.device_id, func.count())
            .where(Command.device_id.in_(ids), Command.state.in_(_WAITING))
            .group_by(Command.device_id)
        ).all()
    )
    return [_view(work, row, relays.get(row[0].id, []), waiting.get(row[0].id, 0)) for row in rows]


def _view(work: Work, row: Row[*tuple[Any, ...]], relays: list[RelayView], pending: int) -> DeviceView:
    device, number, status, config = row
    known = {name: getattr(device, name) for name in DeviceView.model_fields if hasattr(device, name)}
    return DeviceView(
        **known,
        community_id=device.project_id,
        relays=relays,
        number=number or "",
        status=presence.view(status, work.now),
        config=_config(config),
        claim=ClaimView(
            open_until=device.claim_open_until, claimed_at=device.claimed_at, claimed_from=device.claimed_from
        ),
        pending_commands=pending,
    )


def _config(config: DeviceConfig | None) -> ConfigView:
    if config is None:
        return ConfigView(in_step=False, served_at=None)
    in_step = bool(config.desired_digest) and config.desired_digest == config.served_digest
    return ConfigView(in_step=in_step, served_at=config.served_at)
