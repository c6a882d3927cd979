"""Reading the audit trail: an installer sees its own deeds and whatever was done to its projects."""

from __future__ import annotations

from sqlalchemy import or_, select

from admin_api.auth import scope
from admin_api.paging import PageQuery
from admin_api.schemas.audit import AuditView
from admin_api.schemas.base import Page
from admin_api.services import Work
from intercom_core.store.schema import Audit


def list_page(work: Work, page: PageQuery, project_id: int | None) -> Page[AuditView]:
    """Newest first. `project_id` narrows it to one community."""
    principal = work.principal
    query = select(Audit).where(
        or_(Audit.account_id == principal.account_id, scope.within(principal, Audit.project_id))
    )
    if project_id is not None:
        query = query.where(Audit.project_id == project_id)
    if page.after:
        query = query.where(Audit.id < page.after_id)
    rows = work.session.scalars(query.order_by(Audit.id.desc()).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row.id)
    return Page(items=[_view(row) for row in items], next=following)


def _view(row: Audit) -> AuditView:
    known = {name: getattr(row, name) for name in AuditView.model_fields if hasattr(row, name)}
    return AuditView(**known, community_id=row.project_id)
