"""The one table of who may do what. Which objects it applies to is `scope`'s business."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from admin_api.errors import ForbiddenError
from intercom_core.model.account import Principal, Role


class Permission(StrEnum):
    OWN_ACCOUNT = "own-account"
    MANAGE_INSTALLERS = "manage-installers"
    READ_PROJECTS = "read-projects"
    EDIT_PROJECTS = "edit-projects"
    READ_AUDIT = "read-audit"


GRANTS: Mapping[Permission, frozenset[Role]] = {
    Permission.OWN_ACCOUNT: frozenset(Role),
    Permission.MANAGE_INSTALLERS: frozenset({Role.DISTRIBUTOR}),
    Permission.READ_PROJECTS: frozenset({Role.DISTRIBUTOR, Role.INSTALLER}),
    Permission.EDIT_PROJECTS: frozenset({Role.INSTALLER}),
    Permission.READ_AUDIT: frozenset({Role.DISTRIBUTOR, Role.INSTALLER}),
}


def check(principal: Principal, permission: Permission) -> None:
    """Raises ForbiddenError. Asked before any object is looked up, so a refusal tells nothing about objects."""
    if principal.role not in GRANTS[permission]:
        raise ForbiddenError("Your role does not allow this.")
