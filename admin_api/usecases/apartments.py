"""Apartments with their family number, indoor monitor and people (guide §6.1)."""

from __future__ import annotations

from sqlalchemy import select

from admin_api.auth import scope
from admin_api.schemas.homes import ApartmentCreate, ApartmentPatch
from admin_api.services import Work
from admin_api.usecases import devices, journal, residents, sip_accounts
from intercom_core.changes.log import Entity
from intercom_core.model.errors import ConflictError, InvalidValueError
from intercom_core.model.project import FeaturePlan
from intercom_core.store.schema import Apartment, Building, Device, Project, Resident, SipAccount


def create(work: Work, building_id: int, command: ApartmentCreate) -> int:
    """The apartment with all that was given for it, or nothing at all. Returns its id."""
    building = scope.find(work, Building, building_id)
    project = scope.find(work, Project, building.project_id)
    if command.indoor_monitor is None and project.feature_plan == FeaturePlan.BASIC:
        raise InvalidValueError(
            "indoor_monitor", "On the basic plan every apartment gets an indoor monitor when it is created."
        )
    _check_number(work, building_id, command.number)
    apartment = Apartment(
        project_id=project.id,
        building_id=building_id,
        number=command.number,
        name=command.name,
        call_type=command.call_type,
    )
    work.session.add(apartment)
    journal.created(work, Entity.APARTMENT, apartment)
    sip_accounts.open_for(work, apartment)
    if command.indoor_monitor is not None:
        monitor = command.indoor_monitor.as_device(apartment.id)
        devices.create(work, project.id, monitor, prefix="indoor_monitor.")
    if command.resident is not None:
        residents.move_in(work, apartment, command.resident, prefix="resident.")
    return apartment.id


def edit(work: Work, apartment_id: int, command: ApartmentPatch) -> None:
    apartment = scope.find(work, Apartment, apartment_id, lock=True)
    before = journal.snapshot(apartment)
    sent = command.sent()
    if sent.get("number", apartment.number) != apartment.number:
        _check_number(work, apartment.building_id, sent["number"])
    for field, value in sent.items():
        setattr(apartment, field, value)
    journal.updated(work, Entity.APARTMENT, apartment, before)


def remove(work: Work, apartment_id: int, *, cascade: bool) -> None:
    """Refused while there are residents or devices in it, unless `cascade` says that they go too."""
    apartment = scope.find(work, Apartment, apartment_id, lock=True)
    people = work.session.scalars(
        select(Resident.id).where(Resident.apartment_id == apartment_id).order_by(Resident.master, Resident.id)
    ).all()
    units = work.session.scalars(select(Device.id).where(Device.apartment_id == apartment_id)).all()
    if (people or units) and not cascade:
        raise ConflictError(
            f"The apartment still has {len(people)} resident(s) and {len(units)} device(s). "
            "Remove them first, or delete with cascade=true."
        )
    for device_id in units:
        devices.remove(work, device_id)
    for resident_id in people:
        residents.remove(work, resident_id)
    for account in work.session.scalars(select(SipAccount).where(SipAccount.apartment_id == apartment_id)):
        sip_accounts.close(work, account)
    journal.deleted(work, Entity.APARTMENT, apartment)


def _check_number(work: Work, building_id: int, number: str) -> None:
    taken = select(Apartment.id).where(Apartment.building_id == building_id, Apartment.number == number)
    if work.session.scalar(taken) is not None:
        raise ConflictError("This building has an apartment with this number.", "number")
