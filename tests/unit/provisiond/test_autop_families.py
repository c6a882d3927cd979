from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intercom_core.model.device import DeviceType
from provisiond.autop.families import FamilyError, load
from provisiond.autop.render import probe
from tests.unit.provisiond.samples import TEMPLATES, catalogue


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATES / "akuvox", tmp_path / "templates" / "akuvox").parent)


def test_every_device_type_has_a_family() -> None:
    assert all(catalogue().of(device_type) for device_type in DeviceType)


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("door_phone/device.cfg.j2", "#!version", "{% if %}#!version", "door_phone/device.cfg.j2:1: "),
        ("parts/account.cfg.j2", "{% endif %}", "", "parts/account.cfg.j2:"),
        ("parts/account.cfg.j2", "server.sip_port", "server.sip_prot", "parts/account.cfg.j2:9: "),
        ("parts/site.cfg.j2", "{{ site.zone.city }}", "{{ nobody }}", "parts/site.cfg.j2:9: 'nobody' is undefined"),
        ("parts/door_relays.cfg.j2", "relay.name", "relay.label", "parts/door_relays.cfg.j2:5: "),
        ("door_phone/manifest.toml", "relays = 4", "relays = = 4", "door_phone/manifest.toml:12: "),
        ("door_phone/manifest.toml", "relays = 4", "relays = 99", "door_phone/manifest.toml:12: relays must be"),
        ("door_phone/manifest.toml", "relays = 4", "relais = 4", "door_phone/manifest.toml:12: relais is not"),
        ("door_phone/manifest.toml", "[0, 1]", "[0, 7]", "door_phone/manifest.toml:4: device_types is wrong"),
        ("door_phone/manifest.toml", "[0, 1]", "[]", "door_phone/manifest.toml:4: device_types must not"),
        ("door_phone/manifest.toml", "[0, 1]", "[0, 2]", "device type 2 has a family already"),
        (
            "door_phone/manifest.toml",
            "device.cfg.j2",
            "none.cfg.j2",
            "door_phone/manifest.toml:1: 'akuvox/door_phone/none.cfg.j2' not found",
        ),
        ("door_phone/manifest.toml", "device.cfg.j2", "../x.j2", "not a plain"),
        ("door_phone/manifest.toml", "{12,14}P?", "{12,14}(", "door_phone/manifest.toml:9: common has a pattern"),
        ("door_phone/manifest.toml", '"Config.Account1.SIP.Server"', '"x"', "door_phone/manifest.toml:18: sip_server"),
        ("door_phone/manifest.toml", 'vendor = "akuvox"', "vendor = true", "door_phone/manifest.toml:2: vendor must"),
    ],
)
def test_a_wrong_family_is_refused_with_file_and_line(
    templates: Path, file: str, old: str, new: str, place: str
) -> None:
    path = templates / "akuvox" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FamilyError) as caught:
        load(templates, probe)
    assert place in caught.value.message


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match="no families"):
        load(tmp_path, probe)
