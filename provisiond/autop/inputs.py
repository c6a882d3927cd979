"""All that the files of one device depend on, as values: equal inputs make equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from intercom_core.model.device import DeviceType, Relay
from intercom_core.model.errors import InvalidValueError

# Devices keep at most this many characters of a URL.
URL_LIMIT = 127
TOKEN_LENGTH = 32
CONTACTS_NAME = "contacts.xml"
# Offsets are taken from a fixed year, so that a file never changes because time passes.
_REFERENCE_YEAR = 2026


@dataclass(frozen=True, slots=True)
class Server:
    """Where devices find this installation. `base_url` has no final slash."""

    sip_domain: str
    sip_port: int
    sip_transport: str
    register_seconds: int
    base_url: str

    def __post_init__(self) -> None:
        """Refuses a base whose URLs would not fit into a device."""
        longest = len(self.device_url("x" * TOKEN_LENGTH) + CONTACTS_NAME)
        if longest > URL_LIMIT:
            room = URL_LIMIT - longest + len(self.base_url)
            raise InvalidValueError(
                "provisiond.public_url", f"The URL is too long for devices: at most {room} characters."
            )

    def device_url(self, token: str) -> str:
        """The secret folder of one device; ends in a slash because devices append file names."""
        return f"{self.base_url}/d/{token}/"


@lru_cache(maxsize=1024)
def _standard_minutes(zone_name: str) -> int:
    """Minutes east of Greenwich. Summer time is ahead of standard time: the smaller offset of January and July."""
    zone = ZoneInfo(zone_name)
    offsets = [datetime(_REFERENCE_YEAR, month, 1, tzinfo=zone).utcoffset() or timedelta() for month in (1, 7)]
    return int(min(offsets).total_seconds()) // 60


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA time zone as devices take it: standard offset and city."""

    name: str

    @property
    def city(self) -> str:
        return self.name.rpartition("/")[2]

    def offset(self, style: str) -> str:
        """`hours:minutes` -> `+8:00`, `hours` -> `+8` (minutes only where there are some)."""
        minutes = _standard_minutes(self.name)
        hours, rest = divmod(abs(minutes), 60)
        sign = "-" if minutes < 0 else "+"
        return f"{sign}{hours}" if style == "hours" and not rest else f"{sign}{hours}:{rest:02}"


@dataclass(frozen=True, slots=True)
class Site:
    """Project settings that reach every device of the project (guide §5)."""

    zone: Zone
    time_format: str
    date_format: str
    language: str


@dataclass(frozen=True, slots=True)
class SipLogin:
    number: str
    secret: str = field(repr=False)


class Contact(NamedTuple):
    name: str
    number: str


@dataclass(frozen=True, slots=True)
class UnlockButton:
    """A button on the screen of somebody who opens a door: it sends `dtmf_code` for the door's relay `position`."""

    position: int
    name: str = ""
    dtmf_code: str = ""
    in_homepage: bool = False
    in_talking_page: bool = False


@dataclass(frozen=True, slots=True)
class DeviceInputs:
    """`login` None: the device has no active SIP account. `push_button`: the numbers that its call button rings."""

    mac: str
    type: DeviceType
    location: str
    token: str = field(repr=False)
    server: Server
    site: Site
    login: SipLogin | None = None
    relays: tuple[Relay, ...] = ()
    buttons: tuple[UnlockButton, ...] = ()
    push_button: tuple[str, ...] = ()
    arming: bool = False
    contacts: tuple[Contact, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return self.server.device_url(self.token)

    def relays_up_to(self, count: int) -> Iterator[Relay]:
        """Relays 1 to `count`; one that was never set up counts as off."""
        by_position = {relay.position: relay for relay in self.relays}
        for position in range(1, count + 1):
            yield by_position.get(position) or Relay(position, False, "", "", False, False)

    def buttons_up_to(self, count: int) -> Iterator[UnlockButton]:
        by_position = {button.position: button for button in self.buttons}
        for position in range(1, count + 1):
            yield by_position.get(position) or UnlockButton(position)
