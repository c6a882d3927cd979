"""The caller's own account, and the distributor's installers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from admin_api.auth import scope, sessions
from admin_api.errors import UnauthenticatedError
from admin_api.paging import PageQuery
from admin_api.schemas.accounts import InstallerCreate, InstallerPatch, InstallerView, MeView
from admin_api.schemas.base import Page
from admin_api.services import Caller, Work
from admin_api.usecases import journal
from intercom_core.changes.log import Action, Entity, record
from intercom_core.model.account import Role
from intercom_core.model.errors import ConflictError, InvalidValueError
from intercom_core.store.schema import Account, Project
from intercom_core.telemetry.redaction import MASK

_PROJECTS: ColumnElement[int] = (
    select(func.count()).where(Project.owner_id == Account.id).correlate(Account).scalar_subquery()
)


def me(work: Work) -> MeView:
    return MeView.model_validate(_own(work), from_attributes=True)


def change_own_password(caller: Caller, current: str, new: str) -> None:
    """Checks the current password (throttled like a login), sets the new one, ends all other sessions."""
    services, principal = caller.services, caller.principal
    services.throttle.charge(principal.login, principal.address)
    with caller.read() as work:
        stored = _own(work).password_hash
    if not services.passwords.verify(stored, current):
        raise InvalidValueError("current_password", "This is not your present password.")
    services.throttle.succeeded(principal.login, principal.address)
    hashed = services.passwords.hash(new)
    with caller.write() as work:
        account = _own(work, lock=True)
        if account.password_hash != stored:
            raise UnauthenticatedError("The password was changed meanwhile.")
        account.password_hash = hashed
        _password_set(work, account, "password_changed")
        sessions.end_all(work, account.id, keep=caller.session_key)


def create(work: Work, command: InstallerCreate, password_hash: str) -> InstallerView:
    if work.session.scalar(select(Account.id).where(Account.login == command.login)) is not None:
        raise ConflictError("This login is taken.", "login")
    account = Account(
        role=Role.INSTALLER,
        login=command.login,
        name=command.name,
        email=command.email,
        password_hash=password_hash,
        parent_id=work.principal.account_id,
    )
    work.session.add(account)
    journal.created(work, Entity.ACCOUNT, account)
    return _view(account, 0)


def list_page(work: Work, page: PageQuery) -> Page[InstallerView]:
    query = select(Account, _PROJECTS).where(Account.role == Role.INSTALLER, Account.id > page.after_id)
    if page.q:
        query = query.where(
            or_(*(c.icontains(page.q, autoescape=True) for c in (Account.login, Account.name, Account.email)))
        )
    rows = work.session.execute(query.order_by(Account.id).limit(page.limit + 1)).all()
    items, following = page.split(rows, lambda row: row[0].id)
    return Page(items=[_view(account, projects) for account, projects in items], next=following)


def get(work: Work, account_id: int) -> InstallerView:
    account = scope.find_installer(work, account_id)
    return _view(account, _count_projects(work, account_id))


def edit(work: Work, account_id: int, command: InstallerPatch) -> InstallerView:
    """Suspending ends the installer's sessions at once."""
    account = scope.find_installer(work, account_id, lock=True)
    before = journal.snapshot(account)
    for field, value in command.sent().items():
        setattr(account, field, value)
    journal.updated(work, Entity.ACCOUNT, account, before)
    if account.suspended:
        sessions.end_all(work, account_id)
    return _view(account, _count_projects(work, account_id))


def remove(work: Work, account_id: int) -> None:
    account = scope.find_installer(work, account_id, lock=True)
    projects = _count_projects(work, account_id)
    if projects:
        raise ConflictError(f"The installer still owns {projects} project(s).")
    sessions.end_all(work, account_id)
    journal.deleted(work, Entity.ACCOUNT, account)


def reset_password(work: Work, account_id: int, password_hash: str) -> None:
    account = scope.find_installer(work, account_id, lock=True)
    account.password_hash = password_hash
    _password_set(work, account, "password_reset")
    sessions.end_all(work, account_id)


def _own(work: Work, *, lock: bool = False) -> Account:
    account = work.session.get(Account, work.principal.account_id, with_for_update=lock)
    if account is None:
        raise UnauthenticatedError("This account was deleted.")
    return account


def _password_set(work: Work, account: Account, action: str) -> None:
    after: dict[str, Any] = {"password": MASK}
    journal.audit(work, Entity.ACCOUNT, action, account.id, None, None, after)
    record(work.session, Entity.ACCOUNT, account.id, None, Action.UPDATED)


def _count_projects(work: Work, account_id: int) -> int:
    return work.session.scalar(select(func.count()).where(Project.owner_id == account_id)) or 0


def _view(account: Account, projects: int) -> InstallerView:
    return InstallerView(
        id=account.id,
        login=account.login,
        name=account.name,
        email=account.email,
        suspended=account.suspended,
        projects=projects,
        created_at=account.created_at,
    )
