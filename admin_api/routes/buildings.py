"""Buildings of a community."""

from __future__ import annotations

from fastapi import APIRouter

from admin_api.auth.guard import ProjectEditor, ProjectReader
from admin_api.openapi import refusals
from admin_api.paging import Searched
from admin_api.routes import API_PREFIX
from admin_api.schemas.base import Page, PathId
from admin_api.schemas.projects import BuildingInput, BuildingView
from admin_api.usecases import buildings

router = APIRouter(prefix=API_PREFIX, tags=["buildings"])


@router.post(
    "/communities/{project_id}/buildings",
    status_code=201,
    summary="Add a building",
    responses=refusals(401, 403, 404, 409),
)
def create(project_id: PathId, body: BuildingInput, caller: ProjectEditor) -> BuildingView:
    with caller.write() as work:
        return buildings.create(work, project_id, body)


@router.get(
    "/communities/{project_id}/buildings",
    summary="List the buildings of a community; q searches the name",
    responses=refusals(401, 403, 404),
)
def list_buildings(project_id: PathId, page: Searched, caller: ProjectReader) -> Page[BuildingView]:
    with caller.read() as work:
        return buildings.list_page(work, project_id, page)


@router.get("/buildings/{building_id}", summary="Show a building", responses=refusals(401, 403, 404))
def get(building_id: PathId, caller: ProjectReader) -> BuildingView:
    with caller.read() as work:
        return buildings.get(work, building_id)


@router.patch("/buildings/{building_id}", summary="Rename a building", responses=refusals(401, 403, 404, 409))
def rename(building_id: PathId, body: BuildingInput, caller: ProjectEditor) -> BuildingView:
    with caller.write() as work:
        return buildings.rename(work, building_id, body)


@router.delete(
    "/buildings/{building_id}",
    status_code=204,
    summary="Delete an empty building",
    responses=refusals(401, 403, 404, 409),
)
def remove(building_id: PathId, caller: ProjectEditor) -> None:
    with caller.write() as work:
        buildings.remove(work, building_id)
