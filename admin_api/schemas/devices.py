"""Devices, relays, Autop commands and the command queue."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StrictInt
from pydantic_core import PydanticCustomError

from admin_api.schemas.base import AutopLine, DtmfCode, Flag, Id, Input, Mac, Name, Output, unset
from intercom_core.model.device import NETWORK_GROUPS, ContactsSetting, DeviceType


def _device_type(code: int) -> DeviceType:
    if code not in set(DeviceType):
        known = ", ".join(str(int(kind)) for kind in DeviceType)
        raise PydanticCustomError("invalid", "{reason}", {"reason": f"A device type is one of {known}."})
    return DeviceType(code)


TypeCode = Annotated[StrictInt, AfterValidator(_device_type)]
NetworkGroup = Annotated[StrictInt, Field(ge=NETWORK_GROUPS[0], le=NETWORK_GROUPS[-1])]


class RelayInput(Input):
    """Its place in the list is its position: the first one is relay 1."""

    name: Name
    dtmf_code: DtmfCode = "#"
    enabled: Flag = True
    unlock_in_homepage: Flag = True
    unlock_in_talking_page: Flag = True


Relays = Annotated[list[RelayInput], Field(max_length=16)]


class RelayView(Output):
    position: int
    name: str
    dtmf_code: str
    enabled: bool
    unlock_in_homepage: bool
    unlock_in_talking_page: bool


class DeviceCreate(Input):
    """In a building, in an apartment, or (both null) in the public area."""

    mac: Mac
    type: TypeCode
    location: Name
    building_id: Id | None = None
    apartment_id: Id | None = None
    network_group: NetworkGroup = 1
    contacts_setting: ContactsSetting = ContactsSetting.APARTMENTS_MONITORS_AND_APPS
    arming: Flag = False
    relays: Relays = Field(default_factory=list)


class DevicePatch(Input):
    """`relays`, when sent, replaces the whole list."""

    location: Name = unset()
    network_group: NetworkGroup = unset()
    contacts_setting: ContactsSetting = unset()
    arming: Flag = unset()
    relays: Relays = unset()


class StatusView(Output):
    """Registration as the SIP server knows it. `last_connection` is null if the number never registered."""

    online: bool
    last_connection: datetime | None
    address: str
    user_agent: str


class ConfigView(Output):
    """`in_step`: the device has pulled its newest files."""

    in_step: bool
    served_at: datetime | None


class ClaimView(Output):
    """The bootstrap file is handed out once while the window is open."""

    open_until: datetime | None
    claimed_at: datetime | None
    claimed_from: str


class DeviceView(Output):
    id: int
    community_id: int
    building_id: int | None
    apartment_id: int | None
    mac: str
    type: int
    location: str
    network_group: int
    contacts_setting: ContactsSetting
    arming: bool
    relays: list[RelayView]
    model: str
    firmware: str
    number: str
    status: StatusView
    config: ConfigView
    claim: ClaimView
    pending_commands: int
    created_at: datetime


class ClaimInput(Input):
    """`rotate` also replaces the secret URL of the device's files: what knew the old one gets nothing more."""

    rotate: Flag = False


class AutopCommandInput(Input):
    line: AutopLine


class AutopCommandView(Output):
    id: int
    device_id: int
    line: str
    created_at: datetime


class CommandView(Output):
    id: int
    kind: str
    state: str
    attempts: int
    result: str
    created_at: datetime
    finished_at: datetime | None
