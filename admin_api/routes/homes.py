"""Apartments and residents."""

from __future__ import annotations

from fastapi import APIRouter

from admin_api.auth.guard import ProjectEditor, ProjectReader
from admin_api.openapi import refusals
from admin_api.paging import Searched
from admin_api.routes import API_PREFIX
from admin_api.schemas.base import Page, PathId
from admin_api.schemas.homes import (
    ApartmentCreate,
    ApartmentPatch,
    ApartmentView,
    ResidentCreate,
    ResidentPatch,
    ResidentView,
)
from admin_api.usecases import apartments, home_views, residents

router = APIRouter(prefix=API_PREFIX, tags=["apartments"])


@router.post(
    "/buildings/{building_id}/apartments",
    status_code=201,
    summary="Add an apartment, with its indoor monitor and first resident if given",
    responses=refusals(401, 403, 404, 409),
)
def create(building_id: PathId, body: ApartmentCreate, caller: ProjectEditor) -> ApartmentView:
    with caller.write() as work:
        return home_views.get(work, apartments.create(work, building_id, body))


@router.get(
    "/buildings/{building_id}/apartments",
    summary="List the apartments of a building; q searches APT number and name",
    responses=refusals(401, 403, 404),
)
def list_apartments(building_id: PathId, page: Searched, caller: ProjectReader) -> Page[ApartmentView]:
    with caller.read() as work:
        return home_views.list_page(work, building_id, page)


@router.get("/apartments/{apartment_id}", summary="Show an apartment", responses=refusals(401, 403, 404))
def get(apartment_id: PathId, caller: ProjectReader) -> ApartmentView:
    with caller.read() as work:
        return home_views.get(work, apartment_id)


@router.patch("/apartments/{apartment_id}", summary="Edit an apartment", responses=refusals(401, 403, 404, 409))
def edit(apartment_id: PathId, body: ApartmentPatch, caller: ProjectEditor) -> ApartmentView:
    with caller.write() as work:
        apartments.edit(work, apartment_id, body)
        return home_views.get(work, apartment_id)


@router.delete(
    "/apartments/{apartment_id}",
    status_code=204,
    summary="Delete an apartment; with cascade=true also its residents and devices",
    responses=refusals(401, 403, 404, 409),
)
def remove(apartment_id: PathId, caller: ProjectEditor, cascade: bool = False) -> None:
    with caller.write() as work:
        apartments.remove(work, apartment_id, cascade=cascade)


@router.post(
    "/apartments/{apartment_id}/residents",
    status_code=201,
    summary="Add a resident: the first is the family master, others are family members",
    responses=refusals(401, 403, 404, 409),
)
def add_resident(apartment_id: PathId, body: ResidentCreate, caller: ProjectEditor) -> ResidentView:
    with caller.write() as work:
        return home_views.resident(work, residents.add(work, apartment_id, body))


@router.get("/residents/{resident_id}", summary="Show a resident", responses=refusals(401, 403, 404))
def get_resident(resident_id: PathId, caller: ProjectReader) -> ResidentView:
    with caller.read() as work:
        return home_views.resident(work, resident_id)


@router.patch("/residents/{resident_id}", summary="Edit a resident", responses=refusals(401, 403, 404, 409))
def edit_resident(resident_id: PathId, body: ResidentPatch, caller: ProjectEditor) -> ResidentView:
    with caller.write() as work:
        residents.edit(work, resident_id, body)
        return home_views.resident(work, resident_id)


@router.delete(
    "/residents/{resident_id}", status_code=204, summary="Delete a resident", responses=refusals(401, 403, 404, 409)
)
def remove_resident(resident_id: PathId, caller: ProjectEditor) -> None:
    with caller.write() as work:
        residents.remove(work, resident_id)
