"""Reads a project from the database into plain values. Runs in a thread of the database pool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from intercom_core.model import values
from intercom_core.model.device import ContactsSetting, DeviceType, Relay
from intercom_core.model.errors import InvalidValueError, SuiteError
from intercom_core.model.numbers import NumberKind
from intercom_core.security.box import SealedBox
from intercom_core.security.sip import secret_context, token_context
from intercom_core.store import schema
from intercom_core.telemetry import log
from provisiond.autop.claim import ClaimState
from provisiond.autop.inputs import Contact, SipLogin, Site, Zone
from provisiond.autop.project import Apartment, Device, Project

_log = log.get("provisiond.snapshot")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`device_ids`: every device there is, also one that could not be read and is missing in `project`."""

    project: Project
    claims: dict[int, ClaimState]
    device_ids: frozenset[int]


def project_ids(session: Session) -> list[int]:
    return list(session.scalars(select(schema.Project.id).order_by(schema.Project.id)))


def load_project(session: Session, box: SealedBox, project_id: int) -> Snapshot | None:
    """None when there is no such project. A device whose stored secrets do not open is logged and left out."""
    site = _site(session, project_id)
    if site is None:
        return None
    numbers = _active_numbers(session, project_id)
    apartments = _apartments(session, project_id, numbers)
    buildings = {apartment.id: apartment.building_id for apartment in apartments}
    rows = session.execute(select(schema.Device.__table__).where(schema.Device.project_id == project_id)).all()
    relays, commands = _relays(session, project_id), _commands(session, project_id)
    devices = []
    for row in rows:
        try:
            devices.append(_device(row, box, numbers["device_id"].get(row.id), relays, commands, buildings))
        except (SuiteError, ValueError) as error:
            _log.error("device_unreadable", mac=row.mac, reason=str(error))
    claims = {row.id: ClaimState(row.claim_open_until, row.claimed_at, row.claimed_from) for row in rows}
    return Snapshot(Project(site, apartments, devices), claims, frozenset(claims))


def _site(session: Session, project_id: int) -> Site | None:
    table = schema.Project
    row = session.execute(
        select(table.time_zone, table.time_format, table.date_format, table.language).where(table.id == project_id)
    ).one_or_none()
    return Site(Zone(row.time_zone), row.time_format, row.date_format, row.language) if row else None


def _active_numbers(session: Session, project_id: int) -> dict[str, dict[int, Any]]:
    """Rows of active SIP accounts, by kind of owner and by owner."""
    table = schema.SipAccount
    found: dict[str, dict[int, Any]] = {"device_id": {}, "resident_id": {}, "apartment_id": {}}
    owners = {NumberKind.DEVICE: "device_id", NumberKind.PERSONAL: "resident_id", NumberKind.FAMILY: "apartment_id"}
    for row in session.execute(select(table.__table__).where(table.project_id == project_id, table.active.is_(True))):
        owner = owners[NumberKind(row.kind)]
        found[owner][getattr(row, owner)] = row
    return found


def _apartments(session: Session, project_id: int, numbers: dict[str, dict[int, Any]]) -> list[Apartment]:
    people = _people(session, project_id, numbers["resident_id"])
    query = (
        select(schema.Apartment.__table__, schema.Building.name.label("building_name"))
        .join(schema.Building, schema.Building.id == schema.Apartment.building_id)
        .where(schema.Apartment.project_id == project_id)
    )
    families = numbers["apartment_id"]
    return [
        Apartment(
            id=row.id,
            building_id=row.building_id,
            building_name=row.building_name,
            number=row.number,
            name=row.name,
            family_number=families[row.id].number if row.id in families else None,
            people=tuple(people.get(row.id, ())),
        )
        for row in session.execute(query)
    ]


def _people(session: Session, project_id: int, numbers: dict[int, Any]) -> dict[int, list[Contact]]:
    """Residents with an active number, by apartment, the master first."""
    table = schema.Resident
    found: dict[int, list[Contact]] = defaultdict(list)
    for row in session.execute(
        select(table.id, table.apartment_id, table.first_name, table.last_name)
        .where(table.project_id == project_id)
        .order_by(table.master.desc(), table.id)
    ):
        if row.id in numbers:
            name = f"{row.first_name} {row.last_name}".strip()
            found[row.apartment_id].append(Contact(name, numbers[row.id].number))
    return found


def _relays(session: Session, project_id: int) -> dict[int, list[Relay]]:
    table = schema.DeviceRelay
    found: dict[int, list[Relay]] = defaultdict(list)
    for row in session.execute(
        select(table.__table__)
        .join(schema.Device, schema.Device.id == table.device_id)
        .where(schema.Device.project_id == project_id)
        .order_by(table.device_id, table.position)
    ):
        found[row.device_id].append(
            Relay(
                row.position, row.enabled, row.name, row.dtmf_code, row.unlock_in_homepage, row.unlock_in_talking_page
            )
        )
    return found


def _commands(session: Session, project_id: int) -> dict[int, list[str]]:
    """Persistent Autop lines in the order in which they were added. Checked again: a line goes into a file as it is."""
    table = schema.AutopCommand
    found: dict[int, list[str]] = defaultdict(list)
    for row in session.execute(
        select(table.id, table.device_id, table.line)
        .join(schema.Device, schema.Device.id == table.device_id)
        .where(schema.Device.project_id == project_id)
        .order_by(table.id)
    ):
        try:
            found[row.device_id].append(values.autop_command("line", row.line))
        except InvalidValueError as error:
            _log.error("autop_command_left_out", command_id=row.id, reason=error.message)
    return found


def _device(
    row: Any,
    box: SealedBox,
    account: Any,
    relays: dict[int, list[Relay]],
    commands: dict[int, list[str]],
    buildings: dict[int, int],
) -> Device:
    return Device(
        id=row.id,
        mac=row.mac,
        type=DeviceType(row.type),
        building_id=row.building_id if row.apartment_id is None else buildings.get(row.apartment_id),
        apartment_id=row.apartment_id,
        location=row.location,
        contacts_setting=ContactsSetting(row.contacts_setting),
        arming=row.arming,
        token=box.open(row.sealed_token, token_context(row.mac)).decode("ascii"),
        login=_login(account, box),
        relays=_tuple(relays.get(row.id)),
        commands=_tuple(commands.get(row.id)),
    )


def _login(account: Any, box: SealedBox) -> SipLogin | None:
    if account is None or account.sealed_secret is None:
        return None
    return SipLogin(account.number, box.open(account.sealed_secret, secret_context(account.number)).decode())


def _tuple(items: Iterable[Any] | None) -> tuple[Any, ...]:
    return tuple(items or ())
