"""Residents: the family master and the family members of an apartment (guide §6.1.3, §6.1.4)."""

from __future__ import annotations

from sqlalchemy import select

from admin_api.auth import scope
from admin_api.schemas.homes import ResidentCreate, ResidentPatch
from admin_api.services import Work
from admin_api.usecases import journal, sip_accounts
from intercom_core.changes.log import Entity
from intercom_core.model.errors import ConflictError
from intercom_core.store.schema import Apartment, Resident, SipAccount


def add(work: Work, apartment_id: int, command: ResidentCreate) -> int:
    return move_in(work, scope.find(work, Apartment, apartment_id, lock=True), command)


def move_in(work: Work, apartment: Apartment, command: ResidentCreate, *, prefix: str = "") -> int:
    """With a personal number of its own. `prefix` is put before the names of fields in errors. Returns the id."""
    has_master = _master_of(work, apartment.id) is not None
    master = not has_master if command.master is None else command.master
    if master and has_master:
        raise ConflictError("The apartment has a family master already.", f"{prefix}master")
    if not master and not has_master:
        raise ConflictError("The first resident of an apartment is its family master.", f"{prefix}master")
    resident = Resident(
        project_id=apartment.project_id,
        apartment_id=apartment.id,
        master=master,
        **command.model_dump(exclude={"master"}),
    )
    work.session.add(resident)
    journal.created(work, Entity.RESIDENT, resident)
    sip_accounts.open_for(work, resident)
    return resident.id


def edit(work: Work, resident_id: int, command: ResidentPatch) -> None:
    resident = scope.find(work, Resident, resident_id, lock=True)
    before = journal.snapshot(resident)
    for field, value in command.sent().items():
        if field == "email" and not resident.master and value != resident.email:
            raise ConflictError("The e-mail of a family member can't be changed.", field)
        setattr(resident, field, value)
    journal.updated(work, Entity.RESIDENT, resident, before)


def remove(work: Work, resident_id: int) -> None:
    # Who lives in an apartment changes one at a time, or a family member could move in while its master moves out.
    scope.find(work, Apartment, scope.find(work, Resident, resident_id).apartment_id, lock=True)
    resident = scope.find(work, Resident, resident_id, lock=True)
    family = select(Resident.id).where(Resident.apartment_id == resident.apartment_id, Resident.id != resident_id)
    if resident.master and work.session.scalar(family.limit(1)) is not None:
        raise ConflictError("Remove the family members before their family master.")
    for account in work.session.scalars(select(SipAccount).where(SipAccount.resident_id == resident_id)):
        sip_accounts.close(work, account)
    journal.deleted(work, Entity.RESIDENT, resident)


def _master_of(work: Work, apartment_id: int) -> int | None:
    return work.session.scalar(
        select(Resident.id).where(Resident.apartment_id == apartment_id, Resident.master.is_(True))
    )
