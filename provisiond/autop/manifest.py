"""`manifest.toml` of a family: read strictly, so that a slip is an error with file and line, not silence at a door."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from intercom_core.model.device import DeviceType
from intercom_core.model.errors import SuiteError

T = TypeVar("T")

_TOP_KEYS = {"vendor", "family", "device_types", "files", "limits", "capabilities", "values"}
_LIMIT_KEYS = {"relays", "unlock_buttons"}
_TEMPLATE_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*\.j2")


class ManifestError(SuiteError):
    """The message starts with file and line."""

    code = "autop-manifest"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many relays of its own, and how many unlock buttons on its screen, a device of the family can hold."""

    relays: int
    unlock_buttons: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`capabilities`: setting -> key it ends in. `values`: tables that templates look words up in.

    `templates`: names of the device template and the common template.
    """

    vendor: str
    family: str
    device_types: tuple[DeviceType, ...]
    common_name: re.Pattern[str]
    templates: tuple[str, str]
    limits: Limits
    capabilities: Mapping[str, str]
    values: Mapping[str, Any]


def read_manifest(path: Path) -> Manifest:
    """Raises ManifestError for the first thing that is wrong."""
    try:
        text = path.read_text("utf-8")
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise ManifestError(f"{path}:{line[1] if line else 1}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}:1: {error}") from None
    return _Reader(path, text, data).manifest()


class _Reader:
    """Takes typed values out of the parsed file, and knows in which line a wrong one stands."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self._path, self._text, self._data = path, text, data

    def manifest(self) -> Manifest:
        self._only(self._data, _TOP_KEYS)
        files = self._take(self._data, "files", dict)
        self._only(files, {"device", "common"})
        limits = self._take(self._data, "limits", dict)
        self._only(limits, _LIMIT_KEYS)
        device, common = (self._take(files, name, dict) for name in ("device", "common"))
        self._only(device, {"template"})
        self._only(common, {"pattern", "template"})
        return Manifest(
            vendor=self._take(self._data, "vendor", str),
            family=self._take(self._data, "family", str),
            device_types=self._device_types(),
            common_name=self._pattern(common),
            templates=(self._template(device), self._template(common)),
            limits=Limits(self._count(limits, "relays"), self._count(limits, "unlock_buttons")),
            capabilities=self._capabilities(),
            values=self._take(self._data, "values", dict),
        )

    def _fail(self, key: str, problem: str) -> ManifestError:
        lines = self._text.splitlines()
        found = (n for n, line in enumerate(lines, 1) if re.match(rf"\s*(\[.*\b)?{re.escape(key)}\b", line))
        return ManifestError(f"{self._path}:{next(found, 1)}: {key} {problem}")

    def _only(self, table: dict[str, Any], known: set[str]) -> None:
        for key in table:
            if key not in known:
                raise self._fail(key, "is not a key that is known here")

    def _take(self, table: dict[str, Any], key: str, kind: type[T]) -> T:
        value = table.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._fail(key, f"must be there, as {kind.__name__}")
        return value

    def _count(self, table: dict[str, Any], key: str) -> int:
        value = self._take(table, key, int)
        if not 0 <= value <= 8:
            raise self._fail(key, "must be 0 to 8")
        return value

    def _device_types(self) -> tuple[DeviceType, ...]:
        try:
            types = tuple(DeviceType(value) for value in self._take(self._data, "device_types", list))
        except ValueError as error:
            raise self._fail("device_types", f"is wrong: {error}") from None
        if not types:
            raise self._fail("device_types", "must not be empty")
        return types

    def _pattern(self, table: dict[str, Any]) -> re.Pattern[str]:
        try:
            return re.compile(self._take(table, "pattern", str), re.ASCII)
        except re.error as error:
            raise self._fail("common", f"has a pattern that does not compile: {error}") from None

    def _template(self, table: dict[str, Any]) -> str:
        name = self._take(table, "template", str)
        if not _TEMPLATE_NAME.fullmatch(name):
            raise self._fail("files", f"has a template name that is not a plain *.j2 name: {name}")
        return name

    def _capabilities(self) -> dict[str, str]:
        table = self._take(self._data, "capabilities", dict)
        for name, key in table.items():
            if not isinstance(key, str) or not key.startswith("Config."):
                raise self._fail(name, "must be a key that starts with Config.")
        return table
