from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from intercom_core.model.device import DeviceType
from intercom_core.model.errors import InvalidValueError
from provisiond.autop.families import Family
from provisiond.autop.inputs import Contact, Server, SipLogin, Site, UnlockButton, Zone
from provisiond.autop.render import bootstrap_file
from tests.unit.provisiond.samples import SERVER, TEMPLATES, TOKEN, catalogue, full_inputs, inputs, relay, renderer

LINE = re.compile(r"Config(\.[A-Za-z0-9_]+){3,} = .*")
ALL_TYPES = list(DeviceType)
GOLDEN = {
    "door_phone": DeviceType.SINGLE_TENANT_DOOR,
    "indoor_monitor": DeviceType.INDOOR_MONITOR,
    "guard_phone": DeviceType.GUARD_PHONE,
    "access_control": DeviceType.ACCESS_CONTROL,
}
ODD = [
    'say "hi"',
    "a = b",
    "# not a comment",
    "; neither",
    "line\r\nConfig.Account1.GENERAL.Pwd = stolen",
    "nul\x00 bell\x07 next\x85line sep\u2028par\u2029",
    "door 🚪 emoji",
    "x" * 64,
    "שער ראשי \u202babc",
    "{{ 7 * 7 }} {% raw %}",
    "<b>&amp;",
    "lone \ud800 surrogate",
]


@pytest.mark.parametrize("family", GOLDEN)
def test_golden_files(family: str) -> None:
    """`UPDATE_GOLDEN=1 pytest` writes them anew; read the diff before you commit it."""
    files = renderer().render(full_inputs(GOLDEN[family]))
    folder = TEMPLATES / "akuvox" / family / "golden"
    made = {"device.cfg": files.device, "common.cfg": files.common, "contacts.xml": files.contacts}
    for name, file in made.items():
        if os.environ.get("UPDATE_GOLDEN"):
            (folder / name).write_bytes(file.body)
        assert file.body == (folder / name).read_bytes(), f"{family}/{name}"


def test_what_devices_have_in_common_is_made_and_held_once() -> None:
    """In a building of a thousand apartments the contact lists are most of the work and of the memory."""
    here, there = (
        renderer().render(inputs(mac=mac, contacts=tuple(Contact(*pair) for pair in (("403", "1"), ("404", "2")))))
        for mac in ("0C1105000001", "0C1105000002")
    )
    assert here.contacts is there.contacts
    assert here.common is there.common
    assert renderer().render(inputs(contacts=(Contact("403", "2"),))).contacts != here.contacts
    elsewhere = Site(Zone("Europe/Berlin"), "24h", "Y-M-D", "en")
    assert renderer().render(inputs(site=elsewhere)).common != here.common


@pytest.mark.parametrize("device_type", ALL_TYPES)
@pytest.mark.parametrize("odd", ODD)
def test_odd_values_stay_on_their_line(device_type: DeviceType, odd: str) -> None:
    plain = renderer().render(full_inputs(device_type))
    files = renderer().render(
        inputs(
            device_type,
            location=odd,
            relays=tuple(relay(n, name=odd) for n in (1, 2, 3)),
            buttons=(UnlockButton(1, odd, "#", True, True), UnlockButton(2, odd, "1", True, True)),
            push_button=full_inputs(device_type).push_button,
            contacts=(Contact(odd, "5926000001"),),
            commands=("Config.DoorSetting.GENERAL.Sample = 1",),
        )
    )
    keys = [line.partition(" = ")[0] for line in files.device.body.decode().split("\n")]
    assert keys == [line.partition(" = ")[0] for line in plain.device.body.decode().split("\n")]
    assert all(LINE.fullmatch(line) for line in files.device.body.decode().split("\n")[1:-1])
    (contact,) = etree.fromstring(files.contacts.body)
    visible = "".join(c for c in odd if c.isprintable() and c != " ")
    assert "".join(c for c in contact.get("Name", "") if c.isprintable() and c != " ") == visible


@given(st.text(max_size=64), st.text(max_size=64))
def test_any_text_gives_the_same_keys(location: str, name: str) -> None:
    made = inputs(location=location, relays=(relay(name=name),), contacts=(Contact(name, "1"),))
    lines = renderer().render(made).device.body.decode().split("\n")
    assert len(lines) == len(renderer().render(inputs(relays=(relay(),))).device.body.decode().split("\n"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", "\n".join(lines))


def test_equal_inputs_give_equal_bytes_in_another_process() -> None:
    code = (
        "from tests.unit.provisiond.samples import *\n"
        "print(*(renderer().render(full_inputs(t)).digest for t in DeviceType))"
    )
    root = str(TEMPLATES.parent)
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": root, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert runs == {" ".join(renderer().render(full_inputs(t)).digest for t in DeviceType) + "\n"}


def test_the_digest_follows_every_file() -> None:
    base = inputs(relays=(relay(),), contacts=(Contact("403", "1"),))
    variants = [
        base,
        inputs(relays=(relay(name="Back door"),), contacts=(Contact("403", "1"),)),
        inputs(relays=(relay(),), contacts=(Contact("404", "1"),)),
        inputs(relays=(relay(),), contacts=(Contact("403", "1"),), site=Site(Zone("UTC"), "24h", "Y-M-D", "en")),
    ]
    assert len({renderer().render(v).digest for v in variants}) == len(variants)


@pytest.mark.parametrize("family", list(catalogue()), ids=lambda f: f.manifest.family)
def test_every_capability_shows_in_the_files(family: Family) -> None:
    manifest = family.manifest
    files = renderer().render(full_inputs(manifest.device_types[0]))
    text = (files.device.body + files.common.body).decode()
    keys = [line.partition(" = ")[0] for line in text.splitlines()]
    missing = [s for s, key in manifest.capabilities.items() if not fnmatch.filter(keys, key)]
    assert missing == []


@pytest.mark.parametrize("device_type", ALL_TYPES)
def test_no_key_comes_twice_and_factory_reset_never(device_type: DeviceType) -> None:
    files = renderer().render(full_inputs(device_type))
    keys = [line.partition(" = ")[0] for line in files.device.body.decode().splitlines()]
    assert len(keys) == len(set(keys))
    assert "RESET_FACTORY" not in (files.device.body + files.common.body).decode().upper()


@pytest.mark.parametrize("device_type", [t for t in DeviceType if t.is_door])
def test_a_door_gets_no_unlock_button_on_its_own_screen(device_type: DeviceType) -> None:
    body = renderer().render(full_inputs(device_type)).device.body.decode()
    assert "Idle" not in body
    assert "Talking" not in body


def test_a_relay_that_is_off_loses_its_code() -> None:
    body = renderer().render(inputs(relays=(relay(1), relay(2, enabled=False, dtmf_code="77")))).device.body.decode()
    assert "Config.DoorSetting.DTMF.Code1 = #\n" in body
    assert "Config.DoorSetting.DTMF.Code2 = \n" in body
    assert "77" not in body


def test_without_an_account_the_device_is_told_to_stop_registering() -> None:
    body = renderer().render(inputs(login=None)).device.body.decode()
    assert "Config.Account1.GENERAL.Enable = 0\n" in body
    assert "Account1.GENERAL.Pwd" not in body


def test_persistent_commands_come_last_and_win() -> None:
    commands = ("Config.Account1.REG.Timeout = 60", "Config.Other.Thing.On = 1")
    lines = renderer().render(inputs(commands=commands)).device.body.decode().splitlines()
    assert tuple(lines[-2:]) == commands
    assert [line for line in lines if line.startswith("Config.Account1.REG.Timeout")] == [commands[0]]


def test_arming_state_is_left_to_the_people_unless_the_function_is_off() -> None:
    on = renderer().render(inputs(DeviceType.INDOOR_MONITOR, arming=True)).device.body.decode()
    off = renderer().render(inputs(DeviceType.INDOOR_MONITOR, arming=False)).device.body.decode()
    assert "ARMINGMODE" not in on
    assert "Config.Settings.ARMINGMODE.Mode = 0\n" in off


@pytest.mark.parametrize(
    ("zone", "long", "short"),
    [
        ("Asia/Shanghai", "+8:00", "+8"),
        ("America/New_York", "-5:00", "-5"),
        ("Australia/Adelaide", "+9:30", "+9:30"),
        ("America/St_Johns", "-3:30", "-3:30"),
        ("Europe/Dublin", "+0:00", "+0"),
        ("UTC", "+0:00", "+0"),
    ],
)
def test_standard_offsets(zone: str, long: str, short: str) -> None:
    assert (Zone(zone).offset("hours:minutes"), Zone(zone).offset("hours")) == (long, short)


def test_names_a_device_may_ask_for() -> None:
    files = renderer().render(inputs())
    for name in ("0C11050B9814.cfg", "0c11050b9814.cfg"):
        assert files.find(name) is files.device
    for name in ("r000000000113.cfg", "r00000000000029.cfg", "r000000000029P.cfg"):
        assert files.find(name) is files.common
    assert files.find("contacts.xml") is files.contacts
    for name in ("0C11050B9815.cfg", "0C11050B9814.CFG", "r113.cfg", "r000000000113.cfg\n", "r000000000113xcfg", ""):
        assert files.find(name) is None


def test_the_bootstrap_file_holds_only_the_way() -> None:
    body = bootstrap_file(inputs(login=SipLogin("5926100061", "s3cret"))).body.decode()
    assert body.splitlines()[1:] == [
        "Config.Autoprovision.MODE.Mode = 3",
        f"Config.Autoprovision.GENERAL.Url = http://provision.example:8080/d/{TOKEN}/",
    ]


def test_urls_fit_into_a_device() -> None:
    with pytest.raises(InvalidValueError, match="at most 79 characters"):
        Server("sip.example", 5060, "udp", 300, "http://" + "x" * 73)
    assert len(Server("s", 1, "udp", 300, "http://" + "x" * 72).device_url(TOKEN) + "contacts.xml") == 127


def test_secrets_do_not_show_in_a_repr() -> None:
    assert "s3cret" not in repr(inputs())
    assert TOKEN not in repr(inputs())
    assert SERVER.device_url(TOKEN).endswith("/")


@pytest.mark.parametrize("device_type", ALL_TYPES)
def test_every_key_that_is_written_is_in_the_documentation(device_type: DeviceType) -> None:
    prose = (TEMPLATES.parent / "docs" / "protocol" / "autop.md").read_text("utf-8")
    table = [line.split("|") for line in prose.splitlines() if line.startswith("| ") and "`Config." in line]
    column = {DeviceType.INDOOR_MONITOR: 4, DeviceType.GUARD_PHONE: 5, DeviceType.ACCESS_CONTROL: 6}.get(device_type, 3)
    documented = set()
    for cells in table:
        if len(cells) < 8 or cells[column].strip() != "x":
            continue
        first, *others = re.findall(r"`([^`]+)`", cells[2])
        stem = first.rpartition(".")[0]
        documented |= {first, *(o if o.startswith("Config.") else f"{stem}.{o.removeprefix('.')}" for o in others)}
    files = renderer().render(inputs(device_type, relays=(relay(),), buttons=full_inputs(device_type).buttons))
    text = (files.device.body + files.common.body).decode()
    keys = {line.partition(" = ")[0] for line in text.splitlines() if line.startswith("Config.")}
    assert {key for key in keys if not any(fnmatch.fnmatchcase(key, known) for known in documented)} == set()
    assert {known for known in documented if not fnmatch.filter(keys, known)} == set()
