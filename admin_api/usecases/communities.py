"""Communities: the settings that reach every device of a project (guide §5.1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, select

from admin_api.auth import scope
from admin_api.paging import PageQuery
from admin_api.schemas.base import Page
from admin_api.schemas.projects import CommunityCreate, CommunityPatch, CommunityView
from admin_api.services import Work
from admin_api.usecases import journal, presence
from intercom_core.changes.log import Action, Entity, record
from intercom_core.model.errors import ConflictError, InvalidValueError
from intercom_core.model.project import FeaturePlan, ProjectKind
from intercom_core.store.schema import (
    Building,
    Device,
    MacEntry,
    Project,
    RegistrationStatus,
    Resident,
    SipAccount,
)


def create(work: Work, command: CommunityCreate) -> CommunityView:
    project = Project(kind=ProjectKind.COMMUNITY, owner_id=work.principal.account_id, **dict(command))
    _check_landline(project)
    work.session.add(project)
    journal.created(work, Entity.PROJECT, project)
    return get(work, project.id)


def list_page(work: Work, page: PageQuery) -> Page[CommunityView]:
    query = _with_counts(work).where(Project.id > page.after_id)
    if page.q:
        query = query.where(Project.name.icontains(page.q, autoescape=True))
    rows = work.session.execute(query.order_by(Project.id).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row[0].id)
    return Page(items=[_view(row) for row in items], next=following)


def get(work: Work, project_id: int) -> CommunityView:
    row = work.session.execute(_with_counts(work).where(Project.id == project_id)).one_or_none()
    if row is None:
        raise scope.absent()
    return _view(row)


def edit(work: Work, project_id: int, command: CommunityPatch) -> CommunityView:
    project = scope.find(work, Project, project_id, lock=True)
    before = journal.snapshot(project)
    for field, value in command.sent().items():
        if field == "feature_plan" and value != project.feature_plan:
            raise ConflictError("The feature plan can't be changed once it is set.", field)
        setattr(project, field, value)
    _check_landline(project)
    journal.updated(work, Entity.PROJECT, project, before)
    return get(work, project_id)


def remove(work: Work, project_id: int) -> None:
    """Refused while anything is in it; the unbound rest of its MAC library is free again."""
    project = scope.find(work, Project, project_id, lock=True)
    in_the_way = {
        "building(s)": _count(work, Building.project_id, project_id),
        "device(s)": _count(work, Device.project_id, project_id),
    }
    told = ", ".join(f"{count} {what}" for what, count in in_the_way.items() if count)
    if told:
        raise ConflictError(f"The community still has {told}. Remove them first.")
    freed = work.session.execute(delete(MacEntry).where(MacEntry.project_id == project_id).returning(MacEntry.mac))
    macs = sorted(freed.scalars())
    if macs:
        journal.audit(work, Entity.MAC, Action.DELETED, None, project_id, {"macs": macs})
        record(work.session, Entity.MAC, 0, project_id, Action.DELETED)
    journal.deleted(work, Entity.PROJECT, project)


def _check_landline(project: Project) -> None:
    if project.landline and project.feature_plan != FeaturePlan.PREMIUM:
        raise InvalidValueError("landline", "The landline service needs the premium feature plan.")


def _count(work: Work, column: Any, project_id: int) -> int:
    return work.session.scalar(select(func.count()).where(column == project_id)) or 0


def _counted(column: Any, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).where(column == Project.id, *conditions).correlate(Project).scalar_subquery()


def _with_counts(work: Work) -> Select[*tuple[Any, ...]]:
    """The caller's communities with devices, devices online and end users, in one statement."""
    online = (
        select(func.count())
        .select_from(SipAccount)
        .join(RegistrationStatus, RegistrationStatus.number == SipAccount.number)
        .where(SipAccount.project_id == Project.id, SipAccount.device_id.is_not(None))
        .where(presence.is_online(work.now))
        .correlate(Project)
        .scalar_subquery()
    )
    return select(Project, _counted(Device.project_id), online, _counted(Resident.project_id)).where(
        Project.kind == ProjectKind.COMMUNITY, scope.owned(work.principal)
    )


def _view(row: Row[*tuple[Any, ...]]) -> CommunityView:
    project, devices, online, end_users = row
    known = {name: getattr(project, name) for name in CommunityView.model_fields if hasattr(project, name)}
    return CommunityView(**known, devices=devices, devices_online=online, end_users=end_users)
