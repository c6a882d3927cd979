"""The MAC library of a community."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from admin_api.auth import scope
from admin_api.auth.guard import ProjectEditor, ProjectReader
from admin_api.openapi import refusals
from admin_api.paging import Searched
from admin_api.routes import API_PREFIX
from admin_api.schemas.base import Page, PathId
from admin_api.schemas.projects import MacInput, MacView
from admin_api.usecases import macs
from intercom_core.model import values
from intercom_core.model.errors import InvalidValueError

router = APIRouter(prefix=API_PREFIX + "/communities/{project_id}/macs", tags=["MAC library"])


@router.post("", status_code=201, summary="Add a MAC", responses=refusals(401, 403, 404, 409))
def add(project_id: PathId, body: MacInput, caller: ProjectEditor) -> MacView:
    with caller.write() as work:
        return macs.add(work, project_id, body)


@router.get("", summary="List MACs; q searches any part of them", responses=refusals(401, 403, 404))
def list_macs(
    project_id: PathId,
    page: Searched,
    caller: ProjectReader,
    bound: Annotated[bool | None, Query(description="Only those with (true) or without (false) a device.")] = None,
) -> Page[MacView]:
    with caller.read() as work:
        return macs.list_page(work, project_id, page, bound)


@router.delete("/{mac}", status_code=204, summary="Remove an unbound MAC", responses=refusals(401, 403, 404, 409))
def remove(project_id: PathId, mac: Annotated[str, Path(max_length=32)], caller: ProjectEditor) -> None:
    try:
        folded = values.mac("mac", mac)
    except InvalidValueError:
        raise scope.absent() from None
    with caller.write() as work:
        macs.remove(work, project_id, folded)
