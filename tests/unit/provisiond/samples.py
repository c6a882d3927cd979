"""Sample values for the tests of provisiond: a test states only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import autop_templates
from intercom_core.model.device import ContactsSetting, DeviceType, Relay
from provisiond.autop.claim import ClaimState
from provisiond.autop.families import Catalogue, load
from provisiond.autop.inputs import Contact, DeviceInputs, Server, SipLogin, Site, UnlockButton, Zone
from provisiond.autop.project import Apartment, Device, Project
from provisiond.autop.render import Renderer, bootstrap_file, probe
from provisiond.autop.shelf import Entry, token_key

TEMPLATES = Path(autop_templates.__file__).parent
TOKEN = "Tk0" + "x" * 29
SERVER = Server("sip.example", 5060, "udp", 300, "http://provision.example:8080")
SITE = Site(Zone("Asia/Shanghai"), "24h", "Y-M-D", "en")
MAC = "0C11050B9814"


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    return load(TEMPLATES, probe)


def renderer() -> Renderer:
    return Renderer(catalogue())


def inputs(device_type: DeviceType = DeviceType.MULTI_TENANT_DOOR, **changes: Any) -> DeviceInputs:
    values: dict[str, Any] = {
        "mac": MAC,
        "type": device_type,
        "location": "Gate1",
        "token": TOKEN,
        "server": SERVER,
        "site": SITE,
        "login": SipLogin("5926100061", "s3cret"),
    }
    return DeviceInputs(**(values | changes))


def full_inputs(device_type: DeviceType) -> DeviceInputs:
    return inputs(
        device_type,
        relays=(relay(1, name="Front door"), relay(2, name="Garage", dtmf_code="12*"), relay(3, enabled=False)),
        buttons=(
            UnlockButton(1, "Front door", "#", True, True),
            UnlockButton(2, "Garage", "12*", False, True),
        ),
        push_button=("5926000001",) if device_type is DeviceType.SINGLE_TENANT_DOOR else (),
        contacts=(Contact("403 Ryan", "5926000001"), Contact("404 Müller & Søn", "5926000002")),
        commands=("Config.DoorSetting.GENERAL.Sample = 1",),
    )


def relay(position: int = 1, **changes: Any) -> Relay:
    values: dict[str, Any] = {
        "position": position,
        "enabled": True,
        "name": "Front door",
        "dtmf_code": "#",
        "unlock_in_homepage": True,
        "unlock_in_talking_page": True,
    }
    return Relay(**(values | changes))


def device(device_id: int, device_type: DeviceType = DeviceType.MULTI_TENANT_DOOR, **changes: Any) -> Device:
    values: dict[str, Any] = {
        "id": device_id,
        "mac": f"0C1105{device_id:06X}",
        "type": device_type,
        "building_id": None,
        "apartment_id": None,
        "location": f"Unit {device_id}",
        "contacts_setting": ContactsSetting.APARTMENTS,
        "arming": False,
        "token": f"{device_id:032}",
        "login": SipLogin(f"59261{device_id:05}", "secret"),
    }
    return Device(**(values | changes))


def apartment(apartment_id: int, building_id: int = 1, **changes: Any) -> Apartment:
    values: dict[str, Any] = {
        "id": apartment_id,
        "building_id": building_id,
        "building_name": f"Building{building_id}",
        "number": str(apartment_id),
        "name": "",
        "family_number": f"59260{apartment_id:05}",
    }
    return Apartment(**(values | changes))


def project(apartments: list[Apartment], devices: list[Device], site: Site = SITE) -> Project:
    return Project(site, apartments, devices)


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPEN = ClaimState(open_until=NOON + timedelta(hours=1))


def entry(device_id: int = 1, token: str = TOKEN, claim: ClaimState = OPEN, **changes: Any) -> Entry:
    made = inputs(token=token, **changes)
    return Entry(
        device_id=device_id,
        project_id=7,
        mac=made.mac,
        token_key=token_key(token.encode()),
        number=made.login.number if made.login else None,
        files=renderer().render(made),
        bootstrap=bootstrap_file(made),
        claim=claim,
    )
