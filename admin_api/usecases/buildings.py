"""Buildings of a community (guide §6.1.1)."""

from __future__ import annotations

from sqlalchemy import func, select

from admin_api.auth import scope
from admin_api.paging import PageQuery
from admin_api.schemas.base import Page
from admin_api.schemas.projects import BuildingInput, BuildingView
from admin_api.services import Work
from admin_api.usecases import journal
from intercom_core.changes.log import Entity
from intercom_core.model.errors import ConflictError
from intercom_core.store.schema import Apartment, Building, Device, Project


def create(work: Work, project_id: int, command: BuildingInput) -> BuildingView:
    scope.find(work, Project, project_id)
    _check_name(work, project_id, command.name)
    building = Building(project_id=project_id, name=command.name)
    work.session.add(building)
    journal.created(work, Entity.BUILDING, building)
    return _view(building)


def list_page(work: Work, project_id: int, page: PageQuery) -> Page[BuildingView]:
    scope.find(work, Project, project_id)
    query = select(Building).where(Building.project_id == project_id, Building.id > page.after_id)
    if page.q:
        query = query.where(Building.name.icontains(page.q, autoescape=True))
    rows = work.session.scalars(query.order_by(Building.id).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row.id)
    return Page(items=[_view(row) for row in items], next=following)


def get(work: Work, building_id: int) -> BuildingView:
    return _view(scope.find(work, Building, building_id))


def rename(work: Work, building_id: int, command: BuildingInput) -> BuildingView:
    building = scope.find(work, Building, building_id, lock=True)
    if command.name != building.name:
        _check_name(work, building.project_id, command.name)
    before = journal.snapshot(building)
    building.name = command.name
    journal.updated(work, Entity.BUILDING, building, before)
    return _view(building)


def remove(work: Work, building_id: int) -> None:
    building = scope.find(work, Building, building_id, lock=True)
    apartments = work.session.scalar(select(func.count()).where(Apartment.building_id == building_id)) or 0
    devices = work.session.scalar(select(func.count()).where(Device.building_id == building_id)) or 0
    if apartments or devices:
        raise ConflictError(f"The building still has {apartments} apartment(s) and {devices} device(s).")
    journal.deleted(work, Entity.BUILDING, building)


def _check_name(work: Work, project_id: int, name: str) -> None:
    taken = select(Building.id).where(Building.project_id == project_id, Building.name == name)
    if work.session.scalar(taken) is not None:
        raise ConflictError("This community has a building with this name.", "name")


def _view(building: Building) -> BuildingView:
    return BuildingView(
        id=building.id, community_id=building.project_id, name=building.name, created_at=building.created_at
    )
