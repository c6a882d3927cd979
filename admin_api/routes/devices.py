"""Devices: settings, claim, Autop commands and the command queue."""

from __future__ import annotations

from fastapi import APIRouter

from admin_api.auth.guard import ProjectEditor, ProjectReader
from admin_api.openapi import refusals
from admin_api.paging import Paged, Searched
from admin_api.routes import API_PREFIX
from admin_api.schemas.base import Page, PathId
from admin_api.schemas.devices import (
    AutopCommandInput,
    AutopCommandView,
    ClaimInput,
    CommandView,
    DeviceCreate,
    DevicePatch,
    DeviceView,
)
from admin_api.usecases import autop_commands, device_views, devices

router = APIRouter(prefix=API_PREFIX, tags=["devices"])


@router.post(
    "/communities/{project_id}/devices",
    status_code=201,
    summary="Add a device to a building, an apartment or the public area",
    responses=refusals(401, 403, 404, 409),
)
def create(project_id: PathId, body: DeviceCreate, caller: ProjectEditor) -> DeviceView:
    with caller.write() as work:
        return device_views.get(work, devices.create(work, project_id, body))


@router.get(
    "/communities/{project_id}/devices",
    summary="List the devices of a community; q searches MAC, location and number",
    responses=refusals(401, 403, 404),
)
def list_devices(project_id: PathId, page: Searched, caller: ProjectReader) -> Page[DeviceView]:
    with caller.read() as work:
        return device_views.list_page(work, project_id, page)


@router.get("/devices/{device_id}", summary="Show a device", responses=refusals(401, 403, 404))
def get(device_id: PathId, caller: ProjectReader) -> DeviceView:
    with caller.read() as work:
        return device_views.get(work, device_id)


@router.patch("/devices/{device_id}", summary="Edit a device", responses=refusals(401, 403, 404))
def edit(device_id: PathId, body: DevicePatch, caller: ProjectEditor) -> DeviceView:
    with caller.write() as work:
        devices.edit(work, device_id, body)
        return device_views.get(work, device_id)


@router.delete(
    "/devices/{device_id}",
    status_code=204,
    summary="Delete a device; its MAC is free, its number rests",
    responses=refusals(401, 403, 404),
)
def remove(device_id: PathId, caller: ProjectEditor) -> None:
    with caller.write() as work:
        devices.remove(work, device_id)


@router.post(
    "/devices/{device_id}/claim",
    summary="Let a device fetch its bootstrap file once more",
    responses=refusals(401, 403, 404),
)
def claim(device_id: PathId, caller: ProjectEditor, body: ClaimInput | None = None) -> DeviceView:
    with caller.write() as work:
        devices.reopen_claim(work, device_id, rotate=body.rotate if body else False)
        return device_views.get(work, device_id)


@router.get(
    "/devices/{device_id}/commands",
    summary="What was asked of a device and how it went, newest first",
    responses=refusals(401, 403, 404),
)
def list_commands(device_id: PathId, page: Paged, caller: ProjectReader) -> Page[CommandView]:
    with caller.read() as work:
        return device_views.commands(work, device_id, page)


@router.get(
    "/devices/{device_id}/autop-commands",
    summary="The persistent Autop commands of a device, in file order",
    responses=refusals(401, 403, 404),
)
def list_autop_commands(device_id: PathId, caller: ProjectReader) -> Page[AutopCommandView]:
    with caller.read() as work:
        return autop_commands.list_all(work, device_id)


@router.post(
    "/devices/{device_id}/autop-commands",
    status_code=201,
    summary="Append an Autop command to every pull of a device",
    responses=refusals(401, 403, 404, 409),
)
def add_autop_command(device_id: PathId, body: AutopCommandInput, caller: ProjectEditor) -> AutopCommandView:
    with caller.write() as work:
        return autop_commands.add(work, device_id, body)


@router.delete(
    "/devices/{device_id}/autop-commands/{command_id}",
    status_code=204,
    summary="Take an Autop command out of a device's file",
    responses=refusals(401, 403, 404),
)
def remove_autop_command(device_id: PathId, command_id: PathId, caller: ProjectEditor) -> None:
    with caller.write() as work:
        autop_commands.remove(work, device_id, command_id)
