"""Apartments and residents as people see them; three statements for any page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, or_, select

from admin_api.auth import scope
from admin_api.paging import PageQuery
from admin_api.schemas.base import Page
from admin_api.schemas.homes import ApartmentDevice, ApartmentView, ResidentView
from admin_api.services import Work
from admin_api.usecases import presence
from intercom_core.store.schema import Apartment, Building, Device, RegistrationStatus, Resident, SipAccount


def list_page(work: Work, building_id: int, page: PageQuery) -> Page[ApartmentView]:
    scope.find(work, Building, building_id)
    query = _with_number().where(Apartment.building_id == building_id, Apartment.id > page.after_id)
    if page.q:
        query = query.where(
            or_(
                Apartment.number.startswith(page.q, autoescape=True),
                Apartment.name.icontains(page.q, autoescape=True),
            )
        )
    rows = work.session.execute(query.order_by(Apartment.id).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row[0].id)
    return Page(items=_views(work, items), next=following)


def get(work: Work, apartment_id: int) -> ApartmentView:
    scope.find(work, Apartment, apartment_id)
    return _views(work, work.session.execute(_with_number().where(Apartment.id == apartment_id)).all())[0]


def resident(work: Work, resident_id: int) -> ResidentView:
    scope.find(work, Resident, resident_id)
    return _resident(work, work.session.execute(_people().where(Resident.id == resident_id)).one())


def _with_number() -> Select[*tuple[Any, ...]]:
    return select(Apartment, SipAccount.number).outerjoin(SipAccount, SipAccount.apartment_id == Apartment.id)


def _people() -> Select[*tuple[Any, ...]]:
    return (
        select(Resident, SipAccount.number, RegistrationStatus)
        .outerjoin(SipAccount, SipAccount.resident_id == Resident.id)
        .outerjoin(RegistrationStatus, RegistrationStatus.number == SipAccount.number)
        .order_by(Resident.master.desc(), Resident.id)
    )


def _views(work: Work, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[ApartmentView]:
    ids = [row[0].id for row in rows]
    people: dict[int, list[ResidentView]] = {}
    for row in work.session.execute(_people().where(Resident.apartment_id.in_(ids))):
        people.setdefault(row[0].apartment_id, []).append(_resident(work, row))
    units: dict[int, list[ApartmentDevice]] = {}
    for device, number in work.session.execute(
        select(Device, SipAccount.number)
        .outerjoin(SipAccount, SipAccount.device_id == Device.id)
        .where(Device.apartment_id.in_(ids))
        .order_by(Device.id)
    ):
        unit = ApartmentDevice(
            id=device.id, mac=device.mac, type=device.type, location=device.location, number=number or ""
        )
        units.setdefault(device.apartment_id or 0, []).append(unit)
    return [_view(row, people.get(row[0].id, []), units.get(row[0].id, [])) for row in rows]


def _view(row: Row[*tuple[Any, ...]], residents: list[ResidentView], devices: list[ApartmentDevice]) -> ApartmentView:
    apartment, number = row
    known = {name: getattr(apartment, name) for name in ApartmentView.model_fields if hasattr(apartment, name)}
    return ApartmentView(
        **known, community_id=apartment.project_id, family_number=number or "", residents=residents, devices=devices
    )


def _resident(work: Work, row: Row[*tuple[Any, ...]]) -> ResidentView:
    person, number, status = row
    known = {name: getattr(person, name) for name in ResidentView.model_fields if hasattr(person, name)}
    online = presence.view(status, work.now).online
    return ResidentView(**known, community_id=person.project_id, number=number or "", online=online)
