"""Logging in and out, and the caller's own account."""

from __future__ import annotations

from fastapi import APIRouter, Request

from admin_api.auth import sessions
from admin_api.auth.guard import Self, address_of, services_of
from admin_api.openapi import refusals
from admin_api.routes import API_PREFIX
from admin_api.schemas.accounts import LoginInput, MeView, PasswordChange, SessionView
from admin_api.usecases import accounts

router = APIRouter(prefix=API_PREFIX, tags=["session"])


@router.post("/login", summary="Open a session", responses=refusals(401, 429))
def login(body: LoginInput, request: Request) -> SessionView:
    opened = sessions.login(services_of(request), body.login, body.password, address_of(request))
    return SessionView(token=opened.token, expires_at=opened.expires_at, role=opened.role)


@router.post("/logout", status_code=204, summary="End this session", responses=refusals(401, 403))
def logout(caller: Self) -> None:
    with caller.write() as work:
        sessions.logout(work, caller.session_key)


@router.get("/me", summary="The account of this session", responses=refusals(401, 403))
def me(caller: Self) -> MeView:
    with caller.read() as work:
        return accounts.me(work)


@router.post(
    "/me/password",
    status_code=204,
    summary="Change the own password; all other sessions end",
    responses=refusals(401, 403, 429),
)
def change_password(body: PasswordChange, caller: Self) -> None:
    accounts.change_own_password(caller, body.current_password, body.new_password)
