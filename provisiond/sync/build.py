"""From a snapshot to what is served: inputs, files, entry, for each device of a project. Runs in the render pool."""

from __future__ import annotations

from dataclasses import dataclass

from intercom_core.telemetry import log
from provisiond.autop.contacts import Directory
from provisiond.autop.inputs import DeviceInputs, Server
from provisiond.autop.project import Device, Project
from provisiond.autop.render import Renderer, bootstrap_file
from provisiond.autop.shelf import Entry, token_key
from provisiond.sync.snapshot import Snapshot

_log = log.get("provisiond.build")


@dataclass(frozen=True, slots=True)
class Built:
    """`failed`: devices that could not be rendered; what they had before stays."""

    entries: tuple[Entry, ...]
    failed: int


def inputs_of(device: Device, project: Project, directory: Directory, server: Server) -> DeviceInputs:
    return DeviceInputs(
        mac=device.mac,
        type=device.type,
        location=device.location,
        token=device.token,
        server=server,
        site=project.site,
        login=device.login,
        relays=device.relays,
        buttons=directory.buttons_of(device),
        push_button=directory.push_button_of(device),
        arming=device.arming,
        contacts=directory.contacts_of(device),
        commands=device.commands,
    )


def build_entries(snapshot: Snapshot, project_id: int, server: Server, renderer: Renderer) -> Built:
    """One device that can't be rendered is logged and does not hold up the others."""
    project = snapshot.project
    directory = Directory(project)
    entries = []
    failed = 0
    for device in project.devices:
        try:
            inputs = inputs_of(device, project, directory, server)
            files, bootstrap = renderer.render(inputs), bootstrap_file(inputs)
        except Exception:
            _log.exception("render_failed", mac=device.mac)
            failed += 1
            continue
        entries.append(
            Entry(
                device_id=device.id,
                project_id=project_id,
                mac=device.mac,
                token_key=token_key(device.token.encode("ascii")),
                number=device.login.number if device.login else None,
                files=files,
                bootstrap=bootstrap,
                claim=snapshot.claims[device.id],
            )
        )
    return Built(tuple(entries), failed)
