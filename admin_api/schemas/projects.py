"""Communities, buildings and the MAC library."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictInt

from admin_api.schemas.base import (
    AddressLine,
    BuildingName,
    Flag,
    Input,
    Mac,
    Name,
    Output,
    PostCode,
    TimeZone,
    unset,
)
from intercom_core.model.project import ChargeMode, DateFormat, FeaturePlan, Language, PinMode, TimeFormat

Count = Annotated[StrictInt, Field(ge=0, le=100_000)]


class CommunityCreate(Input):
    name: Name
    street: AddressLine
    city: AddressLine
    post_code: PostCode
    state: AddressLine
    country: Name
    feature_plan: FeaturePlan
    time_zone: TimeZone
    time_format: TimeFormat = TimeFormat.H24
    date_format: DateFormat = DateFormat.YMD
    pin_mode: PinMode = PinMode.PIN
    language: Language = Language.ENGLISH
    number_of_apartments: Count = 0
    landline: Flag = False
    home_automation: Flag = False
    charge_mode: ChargeMode = ChargeMode.INSTALLER
    send_expiration_mail: Flag = False
    send_renew_mail: Flag = False


class CommunityPatch(Input):
    """`feature_plan` may be sent, but only with the value that it has."""

    name: Name = unset()
    street: AddressLine = unset()
    city: AddressLine = unset()
    post_code: PostCode = unset()
    state: AddressLine = unset()
    country: Name = unset()
    feature_plan: FeaturePlan = unset()
    time_zone: TimeZone = unset()
    time_format: TimeFormat = unset()
    date_format: DateFormat = unset()
    pin_mode: PinMode = unset()
    language: Language = unset()
    number_of_apartments: Count = unset()
    landline: Flag = unset()
    home_automation: Flag = unset()
    charge_mode: ChargeMode = unset()
    send_expiration_mail: Flag = unset()
    send_renew_mail: Flag = unset()


class CommunityView(Output):
    """`end_users` counts residents and family members, `devices_online` those registered now."""

    id: int
    owner_id: int
    name: str
    street: str
    city: str
    post_code: str
    state: str
    country: str
    feature_plan: FeaturePlan
    time_zone: str
    time_format: TimeFormat
    date_format: DateFormat
    pin_mode: PinMode
    language: Language
    number_of_apartments: int
    landline: bool
    home_automation: bool
    charge_mode: ChargeMode
    send_expiration_mail: bool
    send_renew_mail: bool
    created_at: datetime
    devices: int
    devices_online: int
    end_users: int


class BuildingInput(Input):
    name: BuildingName


class BuildingView(Output):
    id: int
    community_id: int
    name: str
    created_at: datetime


class MacInput(Input):
    mac: Mac


class MacView(Output):
    """`device_id` is null while the MAC is unbound; `building_id` and `apartment_id` say where its device is."""

    mac: str
    community_id: int
    device_id: int | None
    building_id: int | None
    apartment_id: int | None
    created_at: datetime
