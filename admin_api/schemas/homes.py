"""Apartments and the people in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from admin_api.schemas.base import (
    ApartmentNumber,
    CallingCode,
    Email,
    Flag,
    Input,
    Mac,
    Name,
    OptionalName,
    Output,
    Phone,
    unset,
)
from admin_api.schemas.devices import DeviceCreate, NetworkGroup, Relays
from intercom_core.model.device import DeviceType
from intercom_core.model.project import CallType, Language

Landlines = Annotated[list[Phone], Field(max_length=3)]


class IndoorMonitorInput(Input):
    mac: Mac
    location: Name
    network_group: NetworkGroup = 1
    arming: Flag = False
    relays: Relays = Field(default_factory=list)

    def as_device(self, apartment_id: int) -> DeviceCreate:
        return DeviceCreate.model_construct(
            **dict(self), type=DeviceType.INDOOR_MONITOR, building_id=None, apartment_id=apartment_id
        )


class ResidentCreate(Input):
    """`master` left out: the first resident of an apartment is its master, the others are family members."""

    first_name: Name
    last_name: Name
    email: Email = ""
    language: Language = Language.ENGLISH
    country_code: CallingCode = ""
    mobile: Phone = ""
    landlines: Landlines = Field(default_factory=list)
    ip_call: Flag = False
    master: Flag | None = None


class ResidentPatch(Input):
    first_name: Name = unset()
    last_name: Name = unset()
    email: Email = unset()
    language: Language = unset()
    country_code: CallingCode = unset()
    mobile: Phone = unset()
    landlines: Landlines = unset()
    ip_call: Flag = unset()


class ResidentView(Output):
    """`number` is the personal SIP number, `online` whether an app is registered with it."""

    id: int
    community_id: int
    apartment_id: int
    master: bool
    first_name: str
    last_name: str
    email: str
    language: Language
    country_code: str
    mobile: str
    landlines: list[str]
    ip_call: bool
    number: str
    online: bool
    created_at: datetime


class ApartmentCreate(Input):
    number: ApartmentNumber
    name: OptionalName = ""
    call_type: CallType = CallType.APP_AND_MONITOR
    indoor_monitor: IndoorMonitorInput | None = None
    resident: ResidentCreate | None = None


class ApartmentPatch(Input):
    number: ApartmentNumber = unset()
    name: OptionalName = unset()
    call_type: CallType = unset()


class ApartmentDevice(Output):
    id: int
    mac: str
    type: int
    location: str
    number: str


class ApartmentView(Output):
    """`family_number` rings everybody in the apartment."""

    id: int
    community_id: int
    building_id: int
    number: str
    name: str
    call_type: CallType
    family_number: str
    residents: list[ResidentView]
    devices: list[ApartmentDevice]
    created_at: datetime
