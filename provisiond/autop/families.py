"""Model families: `autop_templates/<vendor>/<family>/` with a manifest and templates, checked and compiled at load.

Whatever differs between models and has no public source belongs there, never into code.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError
from jinja2.exceptions import TemplateSyntaxError

from intercom_core.model.device import DeviceType
from intercom_core.model.errors import SuiteError
from provisiond.autop.guard import finalize
from provisiond.autop.manifest import Manifest, ManifestError, read_manifest


class FamilyError(SuiteError):
    """A family can't be used. The message starts with file and line."""

    code = "autop-family"


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    manifest: Manifest
    device: Template
    common: Template

    def is_common_name(self, name: str) -> bool:
        return self.manifest.common_name.fullmatch(name) is not None


class Catalogue:
    """The loaded families, by device type."""

    def __init__(self, families: Mapping[DeviceType, Family]) -> None:
        self._families = dict(families)

    def __iter__(self) -> Iterator[Family]:
        return iter({id(family): family for family in self._families.values()}.values())

    def of(self, device_type: DeviceType) -> Family | None:
        return self._families.get(device_type)


Probe = Callable[[Family], None]


def load(root: Path, probe: Probe) -> Catalogue:
    """Loads every family below `root`, and has `probe` render each with sample inputs, so that a wrong name shows now.

    Raises FamilyError for the first one that is wrong; nothing is half loaded.
    """
    environment = _environment(root)
    families: dict[DeviceType, Family] = {}
    for path in sorted(root.glob("*/*/manifest.toml")):
        family = _load_family(environment, root, path)
        for device_type in family.manifest.device_types:
            if device_type in families:
                raise FamilyError(f"{path}:1: device type {device_type.value} has a family already")
            families[device_type] = family
        _probe(probe, family, root, path)
    if not families:
        raise FamilyError(f"{root}: there are no families")
    return Catalogue(families)


def _environment(root: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader(root),
        undefined=StrictUndefined,
        finalize=finalize,
        autoescape=False,  # noqa: S701  (not HTML: `finalize` guards every value)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
    )


def _load_family(environment: Environment, root: Path, path: Path) -> Family:
    folder = path.parent.relative_to(root).as_posix()
    try:
        manifest = read_manifest(path)
        device, common = (environment.get_template(f"{folder}/{name}") for name in manifest.templates)
    except ManifestError as error:
        raise FamilyError(error.message) from None
    except TemplateSyntaxError as error:
        raise FamilyError(f"{error.filename}:{error.lineno}: {error.message}") from None
    except TemplateError as error:
        raise FamilyError(f"{path}:1: {error}") from None
    return Family(manifest, device, common)


def _probe(probe: Probe, family: Family, root: Path, path: Path) -> None:
    try:
        probe(family)
    except TemplateSyntaxError as error:
        raise FamilyError(f"{error.filename}:{error.lineno}: {error.message}") from None
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(root))]
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else f"{path}:1"
        raise FamilyError(f"{place}: {error}") from error
