"""Devices and their relays (guide §7.1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from admin_api.auth import scope
from admin_api.schemas.devices import DeviceCreate, DevicePatch, RelayInput
from admin_api.services import Work
from admin_api.usecases import journal, sip_accounts
from intercom_core.changes.log import Action, Entity, record
from intercom_core.model.device import DOOR_RELAYS, MONITOR_RELAYS, DeviceType
from intercom_core.model.errors import ConflictError, InvalidValueError
from intercom_core.store.schema import (
    Apartment,
    Building,
    Device,
    DeviceRelay,
    MacEntry,
    Project,
    SipAccount,
)


def create(work: Work, project_id: int, command: DeviceCreate, *, prefix: str = "") -> int:
    """Binds a MAC of the project's library, allots a number and a secret, opens the claim window.

    `prefix` is put before the names of fields in errors. Returns the device id.
    """
    scope.find(work, Project, project_id)
    _check_place(work, project_id, command, prefix)
    _check_mac(work, project_id, command.mac, prefix)
    _check_abilities(DeviceType(command.type), command.arming, command.relays, prefix)
    device = Device(
        project_id=project_id,
        sealed_token=sip_accounts.sealed_url_token(work, command.mac),
        claim_open_until=_claim_end(work),
        **command.model_dump(exclude={"relays"}),
    )
    work.session.add(device)
    work.session.flush()
    _set_relays(work, device.id, command.relays)
    journal.created(work, Entity.DEVICE, device, _snapshot(work, device))
    sip_accounts.open_for(work, device)
    return device.id


def edit(work: Work, device_id: int, command: DevicePatch) -> None:
    device = scope.find(work, Device, device_id, lock=True)
    before = _snapshot(work, device)
    sent = command.sent()
    relays: list[RelayInput] | None = sent.pop("relays", None)
    for field, value in sent.items():
        setattr(device, field, value)
    _check_abilities(DeviceType(device.type), device.arming, relays or [], "")
    if relays is not None:
        _set_relays(work, device_id, relays)
    journal.updated(work, Entity.DEVICE, device, before, _snapshot(work, device))


def remove(work: Work, device_id: int) -> None:
    """The number goes to quarantine, the MAC is unbound, everything kept about the device is gone."""
    device = scope.find(work, Device, device_id, lock=True)
    before = _snapshot(work, device)
    for account in work.session.scalars(select(SipAccount).where(SipAccount.device_id == device_id)):
        sip_accounts.close(work, account)
    journal.deleted(work, Entity.DEVICE, device, before)


def reopen_claim(work: Work, device_id: int, *, rotate: bool) -> None:
    """Lets the device fetch its bootstrap file once more; `rotate` also ends its present secret URL."""
    device = scope.find(work, Device, device_id, lock=True)
    before = journal.snapshot(device)
    device.claim_open_until, device.claimed_at, device.claimed_from = _claim_end(work), None, ""
    after = journal.snapshot(device)
    journal.audit(work, Entity.CLAIM, "claim_opened", device_id, device.project_id, _claim(before), _claim(after))
    if rotate:
        device.sealed_token = sip_accounts.sealed_url_token(work, device.mac)
        journal.audit(work, Entity.DEVICE, "url_rotated", device_id, device.project_id)
        record(work.session, Entity.DEVICE, device_id, device.project_id, Action.UPDATED)
    record(work.session, Entity.CLAIM, device_id, device.project_id, Action.UPDATED)
    work.session.flush()


def _claim_end(work: Work) -> Any:
    return work.now + timedelta(hours=work.services.settings.provisiond.claim_window_hours)


def _claim(snapshot: journal.Snapshot) -> journal.Snapshot:
    return {key: value for key, value in snapshot.items() if key.startswith("claim")}


def _check_place(work: Work, project_id: int, command: DeviceCreate, prefix: str) -> None:
    """The building or apartment must be of this very community: of another one, it does not exist."""
    if command.building_id is not None and command.apartment_id is not None:
        raise InvalidValueError(f"{prefix}building_id", "A device is in a building or in an apartment, not in both.")
    if command.building_id is not None:
        building = work.session.get(Building, command.building_id)
        _check_inside(project_id, building, f"{prefix}building_id")
    if command.apartment_id is not None:
        apartment = work.session.get(Apartment, command.apartment_id)
        _check_inside(project_id, apartment, f"{prefix}apartment_id")


def _check_inside(project_id: int, place: Building | Apartment | None, field: str) -> None:
    if place is None or place.project_id != project_id:
        raise InvalidValueError(field, "There is no such place in this community.")


def _check_mac(work: Work, project_id: int, mac: str, prefix: str) -> None:
    entry = work.session.get(MacEntry, mac, with_for_update=True)
    if entry is None or entry.project_id != project_id:
        raise InvalidValueError(f"{prefix}mac", "This MAC is not in the MAC library of this community.")
    if work.session.scalar(select(Device.id).where(Device.mac == mac)) is not None:
        raise ConflictError("This MAC is bound to another device.", f"{prefix}mac")


def _check_abilities(kind: DeviceType, arming: bool, relays: list[RelayInput], prefix: str) -> None:
    allowed = DOOR_RELAYS if kind.is_door else MONITOR_RELAYS
    if len(relays) > len(allowed):
        raise InvalidValueError(f"{prefix}relays", f"A device of this type has at most {len(allowed)} relays.")
    if arming and kind is not DeviceType.INDOOR_MONITOR:
        raise InvalidValueError(f"{prefix}arming", "Only indoor monitors have the arming function.")


def _set_relays(work: Work, device_id: int, relays: list[RelayInput]) -> None:
    work.session.execute(delete(DeviceRelay).where(DeviceRelay.device_id == device_id))
    work.session.add_all(
        DeviceRelay(device_id=device_id, position=position, **dict(relay)) for position, relay in enumerate(relays, 1)
    )
    work.session.flush()


def _snapshot(work: Work, device: Device) -> journal.Snapshot:
    """The device with its relays: they are one thing to those who read the audit trail."""
    rows = work.session.scalars(
        select(DeviceRelay).where(DeviceRelay.device_id == device.id).order_by(DeviceRelay.position)
    )
    relays = [{k: v for k, v in journal.snapshot(row).items() if k != "device_id"} for row in rows]
    return journal.snapshot(device) | {"relays": relays}
