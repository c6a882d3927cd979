"""The audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from admin_api.auth.guard import AuditReader
from admin_api.openapi import refusals
from admin_api.paging import Paged
from admin_api.routes import API_PREFIX
from admin_api.schemas.audit import AuditView
from admin_api.schemas.base import MAX_ID, Page
from admin_api.usecases import audits

router = APIRouter(prefix=API_PREFIX, tags=["audit"])


@router.get("/audit", summary="Who did what, newest first", responses=refusals(401, 403))
def list_audit(
    page: Paged,
    caller: AuditReader,
    community_id: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only this community.")] = None,
) -> Page[AuditView]:
    with caller.read() as work:
        return audits.list_page(work, page, community_id)
