"""How a route says what it asks for: `caller: ProjectEditor` in its signature."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from admin_api.auth import policy, sessions
from admin_api.auth.policy import Permission
from admin_api.services import Caller, Services

_BEARER = HTTPBearer(auto_error=False, description="The token that `POST /api/v1/login` answered.")


def services_of(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def address_of(request: Request) -> str:
    """The peer's IP address in its canonical form; empty when the server does not know it.

    An IPv4 peer of a dual-stack listener is told by its IPv4 address: the throttle takes an IPv6 /64 as one source, and
    all mapped addresses (RFC 4291 section 2.5.5.2) share one. A zone id, which a forwarding header may hold in any
    length, is dropped.
    """
    try:
        address = ipaddress.ip_address(request.client.host.partition("%")[0]) if request.client else None
    except ValueError:
        address = None
    return str(getattr(address, "ipv4_mapped", None) or address or "")


def require(permission: Permission) -> Callable[..., Caller]:
    """A dependency that authenticates the bearer token and checks the role, in this order: 401, then 403."""

    def authenticated(
        request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> Caller:
        token = bearer.credentials if bearer else ""
        caller = sessions.find_principal(services_of(request), token, address_of(request))
        policy.check(caller.principal, permission)
        return caller

    return authenticated


Self = Annotated[Caller, Depends(require(Permission.OWN_ACCOUNT))]
InstallerManager = Annotated[Caller, Depends(require(Permission.MANAGE_INSTALLERS))]
ProjectReader = Annotated[Caller, Depends(require(Permission.READ_PROJECTS))]
ProjectEditor = Annotated[Caller, Depends(require(Permission.EDIT_PROJECTS))]
AuditReader = Annotated[Caller, Depends(require(Permission.READ_AUDIT))]
