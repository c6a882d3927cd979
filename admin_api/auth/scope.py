"""The one place of tenancy: every look-up of a project's objects goes through here. Foreign is the same as absent."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, inspect, select, true

from admin_api.services import Work
from intercom_core.model.account import Principal, Role
from intercom_core.model.errors import NotFoundError
from intercom_core.store.schema import Account, Apartment, Building, Device, MacEntry, Project, Resident

Row = TypeVar("Row", Project, Building, Apartment, Resident, MacEntry, Device)


def absent() -> NotFoundError:
    """The only sentence about objects that are not there or not the caller's."""
    return NotFoundError("There is no such object.")


def owned(principal: Principal) -> ColumnElement[bool]:
    """Condition on Project: the operator's distributor sees all, an installer its own, others nothing."""
    if principal.role is Role.DISTRIBUTOR:
        return true()
    return Project.owner_id == (principal.account_id if principal.role is Role.INSTALLER else -1)


def within(principal: Principal, project_column: Any) -> ColumnElement[bool]:
    """Condition on a column that holds a project id."""
    if principal.role is Role.DISTRIBUTOR:
        return true()
    condition: ColumnElement[bool] = project_column.in_(select(Project.id).where(owned(principal)))
    return condition


def find(work: Work, kind: type[Row], key: int | str, *, lock: bool = False) -> Row:
    """The object of that primary key if it is the caller's. `lock` holds it until the transaction ends (PostgreSQL).

    Raises NotFoundError.
    """
    columns = inspect(kind)
    project = columns.all_orm_descriptors["id" if kind is Project else "project_id"]
    query = select(kind).where(columns.primary_key[0] == key, within(work.principal, project))
    row: Row | None = work.session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise absent()
    return row


def find_installer(work: Work, account_id: int, *, lock: bool = False) -> Account:
    """An installer's account, for those who may manage installers. Raises NotFoundError."""
    query = select(Account).where(Account.id == account_id, Account.role == Role.INSTALLER)
    row = work.session.scalar(query.with_for_update() if lock else query)
    if row is None or work.principal.role is not Role.DISTRIBUTOR:
        raise absent()
    return row
