"""The distributor's installers."""

from __future__ import annotations

from fastapi import APIRouter

from admin_api.auth.guard import InstallerManager
from admin_api.auth.passwords import generate
from admin_api.openapi import refusals
from admin_api.paging import Searched
from admin_api.routes import API_PREFIX
from admin_api.schemas.accounts import InstallerCreate, InstallerPatch, InstallerView, NewPasswordView
from admin_api.schemas.base import Page, PathId
from admin_api.usecases import accounts

router = APIRouter(prefix=f"{API_PREFIX}/installers", tags=["installers"])


@router.post("", status_code=201, summary="Create an installer", responses=refusals(401, 403, 409))
def create(body: InstallerCreate, caller: InstallerManager) -> InstallerView:
    password_hash = caller.services.passwords.hash(body.password)
    with caller.write() as work:
        return accounts.create(work, body, password_hash)


@router.get("", summary="List installers; q searches login, name and e-mail", responses=refusals(401, 403))
def list_installers(page: Searched, caller: InstallerManager) -> Page[InstallerView]:
    with caller.read() as work:
        return accounts.list_page(work, page)


@router.get("/{account_id}", summary="Show an installer", responses=refusals(401, 403, 404))
def get(account_id: PathId, caller: InstallerManager) -> InstallerView:
    with caller.read() as work:
        return accounts.get(work, account_id)


@router.patch("/{account_id}", summary="Edit or suspend an installer", responses=refusals(401, 403, 404))
def edit(account_id: PathId, body: InstallerPatch, caller: InstallerManager) -> InstallerView:
    with caller.write() as work:
        return accounts.edit(work, account_id, body)


@router.delete(
    "/{account_id}",
    status_code=204,
    summary="Delete an installer who owns no project",
    responses=refusals(401, 403, 404, 409),
)
def remove(account_id: PathId, caller: InstallerManager) -> None:
    with caller.write() as work:
        accounts.remove(work, account_id)


@router.post(
    "/{account_id}/reset-password",
    summary="Give an installer a new random password, told once; its sessions end",
    responses=refusals(401, 403, 404),
)
def reset_password(account_id: PathId, caller: InstallerManager) -> NewPasswordView:
    with caller.read() as work:
        accounts.get(work, account_id)
    password = generate()
    password_hash = caller.services.passwords.hash(password)
    with caller.write() as work:
        accounts.reset_password(work, account_id, password_hash)
    return NewPasswordView(password=password)
