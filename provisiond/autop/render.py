"""From inputs to bytes. Pure: no clock, no randomness, no order that could change between two runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from intercom_core.model.device import Relay
from intercom_core.model.errors import SuiteError
from intercom_core.model.project import DateFormat, Language, TimeFormat
from provisiond.autop.contacts import contacts_xml
from provisiond.autop.families import Catalogue, Family
from provisiond.autop.guard import clean
from provisiond.autop.inputs import CONTACTS_NAME, Contact, DeviceInputs, Server, SipLogin, Site, UnlockButton, Zone

# How many files that devices share are kept, for the next device that needs the same.
SHARED_FILES = 256


class FileKind(StrEnum):
    """DEVICE is `<MAC>.cfg`, COMMON any name that the family takes for its common file."""

    BOOTSTRAP = "bootstrap"
    DEVICE = "device"
    COMMON = "common"
    CONTACTS = "contacts"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """`etag` is strong and quoted, ready for the header (RFC 9110 §8.8.3)."""

    kind: FileKind
    body: bytes
    etag: bytes
    content_type: bytes


@dataclass(frozen=True, slots=True)
class DeviceFiles:
    """All files of one device. `digest` stands for all of them together."""

    family: Family
    mac: str
    device: ConfigFile
    common: ConfigFile
    contacts: ConfigFile
    digest: str

    def find(self, name: str) -> ConfigFile | None:
        """The file of that name; the MAC counts in either case."""
        if name.upper() == f"{self.mac}.CFG":
            return self.device if name.endswith(".cfg") else None
        if name == CONTACTS_NAME:
            return self.contacts
        return self.common if self.family.is_common_name(name) else None


class NoFamilyError(SuiteError):
    code = "no-family"


class Renderer:
    """Renders the files of devices with the families of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def render(self, inputs: DeviceInputs) -> DeviceFiles:
        """Raises NoFamilyError when no family serves the device's type."""
        family = self._catalogue.of(inputs.type)
        if family is None:
            raise NoFamilyError(f"No template family serves device type {inputs.type.value}.")
        return render(family, inputs)


def render(family: Family, inputs: DeviceInputs) -> DeviceFiles:
    words = _words(family, inputs.server, inputs.site)
    text = family.device.render(words, device=inputs)
    device = config_file(FileKind.DEVICE, _with_commands(text, inputs.commands))
    common = _common(family, inputs.server, inputs.site)
    contacts = _contacts(inputs.contacts)
    digest = hashlib.sha256(b"".join((device.etag, common.etag, contacts.etag))).hexdigest()
    return DeviceFiles(family, inputs.mac, device, common, contacts, digest)


def _words(family: Family, server: Server, site: Site) -> dict[str, Any]:
    manifest = family.manifest
    return {"server": server, "site": site, "limits": manifest.limits, "values": manifest.values}


@lru_cache(maxsize=SHARED_FILES)
def _common(family: Family, server: Server, site: Site) -> ConfigFile:
    """Made once for all devices of a family at a site: its template knows no device."""
    return config_file(FileKind.COMMON, family.common.render(_words(family, server, site)))


@lru_cache(maxsize=SHARED_FILES)
def _contacts(contacts: tuple[Contact, ...]) -> ConfigFile:
    """Made once for all devices with the same list: in a big building it is most of the work, and of the memory."""
    return _file(FileKind.CONTACTS, contacts_xml(contacts), b"text/xml; charset=utf-8")


def bootstrap_file(inputs: DeviceInputs) -> ConfigFile:
    """The first file of a device: the way to its own secret URL, and nothing else."""
    return config_file(
        FileKind.BOOTSTRAP,
        "#!version:1.0.0.1\n"
        "Config.Autoprovision.MODE.Mode = 3\n"
        f"Config.Autoprovision.GENERAL.Url = {clean(inputs.url)}\n",
    )


def config_file(kind: FileKind, text: str) -> ConfigFile:
    return _file(kind, text.encode(), b"text/plain; charset=utf-8")


def _file(kind: FileKind, body: bytes, content_type: bytes) -> ConfigFile:
    etag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
    return ConfigFile(kind, body, etag, content_type)


def _with_commands(text: str, commands: tuple[str, ...]) -> str:
    """Persistent commands come last, and replace what the template says about the same key: devices differ in
    whether the first or the last of two equal keys counts."""
    if not commands:
        return text
    last = {_key(line): clean(line) for line in commands}
    kept = [line for line in text.splitlines(keepends=True) if _key(line) not in last]
    return "".join(kept) + "".join(f"{line}\n" for line in last.values())


def _key(line: str) -> str:
    return line.partition("=")[0].strip().lower()


def probe(family: Family) -> None:
    """Renders sample devices of every type that the family serves, with all and with no settings; see families.load."""
    server = Server("sip.example", 5060, "udp", 300, "http://provision.example")
    site = Site(Zone("Asia/Shanghai"), TimeFormat.H24, DateFormat.YMD, Language.ENGLISH)
    relays = tuple(Relay(position, True, "Relay", "#", True, True) for position in range(1, 5))
    buttons = tuple(UnlockButton(position, "Relay", "#", True, True) for position in range(1, 4))
    for device_type in family.manifest.device_types:
        bare = DeviceInputs("0C1105000001", device_type, "Gate", "x" * 32, server, site)
        full = DeviceInputs(
            "0C1105000001", device_type, "Gate", "x" * 32, server, site, SipLogin("1000", "secret"),
            relays, buttons, ("2000",), True, (Contact("403", "2000"),),
        )  # fmt: skip
        for inputs in (bare, full):
            render(family, inputs)
