"""Pulls a device's files: bootstrap, common file, own file, contacts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from simulator import config_file
from simulator.http_client import HttpClient
from simulator.http_text import HttpError, HttpResponse
from simulator.totals import Totals

URL_KEY = "Config.Autoprovision.GENERAL.Url"
CONTACT_KEYS = ("Config.Contact.Url", "Config.RemotePhoneBook.REMOTE_PHONE_BOOK0.Url")
URL_LIMIT_CHARACTERS = 127
REFUSALS_BEFORE_BOOTSTRAP = 3


class PullError(Exception):
    """The device has no valid file of its own from this pull. `code` is a short fixed name."""

    def __init__(self, code: str) -> None:
        super().__init__(f"pull: {code}")
        self.code = code


@dataclass(slots=True)
class StoredFile:
    """The last version of a file, by URL path; `md5` is the device's own test of "nothing new"."""

    etag: str = ""
    md5: str = ""
    text: str = ""


@dataclass(slots=True)
class Flash:
    """What survives a power cut: the applied settings (the secret URL among them) and the files they came from."""

    config: dict[str, str] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    contacts: int = 0

    @property
    def url(self) -> str:
        """The device's own secret URL, "" before the first bootstrap."""
        return self.config.get(URL_KEY, "")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is printed on the box. `firmware` is model.oem.major.build; its first part names the common file."""

    mac: str
    firmware: str = "29.30.2.805"
    product: str = "R29"

    @property
    def common_file(self) -> str:
        return f"r{int(self.firmware.partition('.')[0]):012d}.cfg"

    @property
    def own_file(self) -> str:
        return f"{self.mac}.cfg"

    @property
    def user_agent(self) -> str:
        return f"Akuvox {self.product} {self.firmware} {self.mac.lower()}"


class Puller:
    """Pulls into a flash. One pull at a time."""

    def __init__(self, http: HttpClient, hardware: Hardware, bootstrap_url: str, flash: Flash, totals: Totals) -> None:
        self._http = http
        self._hardware = hardware
        self._bootstrap_url = bootstrap_url
        self._flash = flash
        self._totals = totals
        self._refusals = 0

    async def pull(self) -> bool:
        """True when a setting or the contacts were applied anew. Raises PullError.

        A missing common file and unreadable contacts are counted and do not stand in the way. After three refusals of
        its own file in a row the device asks the bootstrap address again, as after a move to another project.
        """
        if not self._flash.url or self._refusals >= REFUSALS_BEFORE_BOOTSTRAP:
            await self._bootstrap()
        common = await self._optional(self._hardware.common_file)
        try:
            own = await self._fetch(self._hardware.own_file)
        except PullError as error:
            self._refusals += error.code == "refused"
            raise
        self._refusals = 0
        changed = common or own
        if changed:
            for name in (self._hardware.common_file, self._hardware.own_file):
                if stored := self._flash.files.get(name):
                    self._flash.config.update(config_file.parse(stored.text))
        contacts = await self._contacts()
        self._totals.pulls += 1
        return changed or contacts

    async def _bootstrap(self) -> None:
        response = await self._get(f"{self._bootstrap_url.rstrip('/')}/{self._hardware.own_file}")
        if response.status != 200:
            raise PullError("no-bootstrap")
        settings = config_file.parse(response.body.decode("utf-8", "replace"))
        url = settings.get(URL_KEY, "")
        if not url:
            raise PullError("bootstrap-without-url")
        if len(url) > URL_LIMIT_CHARACTERS:
            raise PullError("url-too-long")
        self._flash.config.update(settings)
        self._flash.files.clear()
        self._refusals = 0

    async def _optional(self, name: str) -> bool:
        """True when there is a new version of a file that need not be there."""
        try:
            return await self._fetch(name)
        except PullError as error:
            if error.code != "refused":
                self._totals.errors[f"common-file-{error.code}"] += 1
            return False

    async def _fetch(self, name: str) -> bool:
        """True when the file is new by its MD5; it is stored then."""
        return await self._store(name, f"{self._flash.url.rstrip('/')}/{name}")

    async def _store(self, name: str, url: str) -> bool:
        known = self._flash.files.get(name, StoredFile())
        response = await self._get(url, known.etag)
        if response.status == 304 and known.etag:
            return False
        if response.status != 200:
            raise PullError("refused" if 400 <= response.status < 500 else "server-error")
        md5 = hashlib.md5(response.body, usedforsecurity=False).hexdigest()
        text = response.body.decode("utf-8", "replace")
        self._flash.files[name] = StoredFile(response.headers.get("etag", ""), md5, text)
        if md5 == known.md5:
            self._totals.unchanged += 1
        else:
            self._totals.applied += 1
        return md5 != known.md5

    async def _contacts(self) -> bool:
        """Counts the entries; a device shows them, a simulated one has no screen."""
        url = next((self._flash.config[key] for key in CONTACT_KEYS if self._flash.config.get(key)), "")
        if not url:
            return False
        try:
            changed = await self._store(url, url)
        except PullError as error:
            self._totals.errors[f"contacts-{error.code}"] += 1
            return False
        self._flash.contacts = len(re.findall(r"<Contact[\s>/]", self._flash.files[url].text))
        return changed

    async def _get(self, url: str, etag: str = "") -> HttpResponse:
        try:
            response = await self._http.get(url, etag)
        except HttpError as error:
            raise PullError(f"http-{error.code}") from error
        self._totals.http[response.status] += 1
        return response
