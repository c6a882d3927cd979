"""Communities."""

from __future__ import annotations

from fastapi import APIRouter

from admin_api.auth.guard import ProjectEditor, ProjectReader
from admin_api.openapi import refusals
from admin_api.paging import Searched
from admin_api.routes import API_PREFIX
from admin_api.schemas.base import Page, PathId
from admin_api.schemas.projects import CommunityCreate, CommunityPatch, CommunityView
from admin_api.usecases import communities

router = APIRouter(prefix=f"{API_PREFIX}/communities", tags=["communities"])


@router.post("", status_code=201, summary="Create a community", responses=refusals(401, 403, 409))
def create(body: CommunityCreate, caller: ProjectEditor) -> CommunityView:
    with caller.write() as work:
        return communities.create(work, body)


@router.get("", summary="List communities with their counts; q searches the name", responses=refusals(401, 403))
def list_communities(page: Searched, caller: ProjectReader) -> Page[CommunityView]:
    with caller.read() as work:
        return communities.list_page(work, page)


@router.get("/{project_id}", summary="Show a community", responses=refusals(401, 403, 404))
def get(project_id: PathId, caller: ProjectReader) -> CommunityView:
    with caller.read() as work:
        return communities.get(work, project_id)


@router.patch("/{project_id}", summary="Edit a community", responses=refusals(401, 403, 404, 409))
def edit(project_id: PathId, body: CommunityPatch, caller: ProjectEditor) -> CommunityView:
    with caller.write() as work:
        return communities.edit(work, project_id, body)


@router.delete(
    "/{project_id}", status_code=204, summary="Delete an empty community", responses=refusals(401, 403, 404, 409)
)
def remove(project_id: PathId, caller: ProjectEditor) -> None:
    with caller.write() as work:
        communities.remove(work, project_id)
