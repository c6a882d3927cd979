"""From the box to a registered, provisioned door phone, on the running suite with real clients."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_twisted
from site_builder import Site, build_site
from suite_runner import SUITE, RunningSuite, autop, curl
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from simulator.faults import Faults
from simulator.fleet import Fleet
from simulator.puller import Hardware
from simulator.waiting import Timing

pytestmark = pytest.mark.system

on_both = pytest.mark.parametrize(
    "suite", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)

URL_KEY = "Config.Autoprovision.GENERAL.Url"
SIPP_REGISTER = Path(__file__).parent / "sipp" / "register.xml"


def until(condition: Callable[[], Any], timeout_seconds: float = 10) -> Any:
    """The first true value of `condition`, asked 20 times a second: other processes can't call back."""
    never = threading.Event()
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        never.wait(0.05)
    raise AssertionError("did not come true in time")


def pull(url: str, name: str) -> str:
    status, _, body = curl(url + name)
    assert status == 200
    return body


def bootstrap(suite: RunningSuite, mac: str) -> str:
    """The device's own secret URL, as its first file tells it; the file of a new device is there in a moment."""

    def first() -> str | None:
        status, _, body = curl(f"http://127.0.0.1:{suite.device_port}/{mac}.cfg")
        return autop(body)[URL_KEY] if status == 200 else None

    url: str = until(first)
    return url


def register(config: dict[str, str], folder: Path, expires: int) -> None:
    """One registration by SIPp with the account that the device's file gives."""
    account = {key.removeprefix("Config.Account1."): value for key, value in config.items()}
    number, secret = account["GENERAL.AuthName"], account["GENERAL.Pwd"]
    users = folder / "users.csv"
    users.write_text(f"SEQUENTIAL\n{number};[authentication username={number} password={secret}];{expires}\n")
    target = f"{account['SIP.Server']}:{account['SIP.Port']}"
    options = ["-sf", str(SIPP_REGISTER), "-inf", str(users), "-i", "127.0.0.1", "-m", "1", "-nostdin"]
    done = subprocess.run(
        ["sipp", target, *options, "-timeout", "10", "-timeout_error"], cwd=folder, capture_output=True, timeout=30
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_from_the_box_to_a_registered_door_phone(suite: RunningSuite, tmp_path: Path) -> None:
    site = build_site(suite)
    door = site.device(site.DOOR)
    assert door["number"].startswith("59261")
    assert site.apartment["number"] == "403"
    assert site.apartment["family_number"].startswith("59260")

    url = _the_files_of_a_door_phone(suite, site)
    _registers_with_what_the_file_says(site, url, tmp_path)
    _persistent_command_comes_and_goes(site, url)
    _refusals_are_alike_and_counted(suite, site, url)


def _the_files_of_a_door_phone(suite: RunningSuite, site: Site) -> str:
    first = f"http://127.0.0.1:{suite.device_port}/{site.DOOR.lower()}.cfg"
    status, headers, body = until(lambda: (answer := curl(first))[0] == 200 and answer)
    assert headers["content-type"].split(";")[0] == "text/plain"
    assert "Account" not in body
    assert "Pwd" not in body
    url = autop(body)[URL_KEY]
    assert len(url) <= 127

    common = autop(pull(url, "r000000000029.cfg"))
    assert common["Config.Settings.SNTP.TimeZone"] == "GMT+8:00"
    assert common["Config.Settings.DATETIME.TimeFormat"] == "1"
    assert common["Config.Settings.DATETIME.DateFormat"] == "0"

    text = pull(url, f"{site.DOOR}.cfg")
    device = autop(text)
    assert device["Config.Account1.GENERAL.UserName"] == site.device(site.DOOR)["number"]
    assert device["Config.DoorSetting.RELAY.NameA"] == "Front door"
    assert device["Config.DoorSetting.DTMF.Code2"] == "12*"
    contacts = pull(device["Config.RemotePhoneBook.REMOTE_PHONE_BOOK0.Url"], "")
    assert site.apartment["family_number"] in contacts

    # The monitor's screen carries the unlock buttons: relay 2 may be opened while talking, not from the home page.
    monitor = autop(pull(bootstrap(suite, site.MONITOR), f"{site.MONITOR}.cfg"))
    assert monitor["Config.DoorSetting.RELAY.TalkingColDisplayName2"] == "Garage"
    assert monitor["Config.DoorSetting.RELAY.IdleDisplayName1"] == "Front door"
    assert monitor["Config.DoorSetting.RELAY.IdleDisplayName2"] == ""

    status, headers, again = curl(url + f"{site.DOOR}.cfg")
    assert again == text, "byte-stable"
    status, _, empty = curl(url + f"{site.DOOR}.cfg", "-H", f"If-None-Match: {headers['etag']}")
    assert (status, empty) == (304, "")
    return url


def _registers_with_what_the_file_says(site: Site, url: str, tmp_path: Path) -> None:
    config = autop(pull(url, f"{site.DOOR}.cfg"))
    assert site.device(site.DOOR)["status"]["online"] is False
    register(config, tmp_path, expires=3)
    status = until(lambda: (found := site.device(site.DOOR)["status"])["online"] and found, 2)
    assert status["address"].startswith("127.0.0.1:")
    assert status["user_agent"] == "door phone under test"
    assert status["last_connection"]
    until(lambda: not site.device(site.DOOR)["status"]["online"], 10)  # nobody refreshed it


def _persistent_command_comes_and_goes(site: Site, url: str) -> None:
    path = f"/devices/{site.door['id']}/autop-commands"
    line = "Config.Features.DOORPHONE.MaxCallTime = 3"
    command = site.api.call("POST", path, {"line": line})
    until(lambda: pull(url, f"{site.DOOR}.cfg").splitlines()[-1] == line)
    site.api.call("DELETE", f"{path}/{command['id']}")
    until(lambda: line not in pull(url, f"{site.DOOR}.cfg"))


def _refusals_are_alike_and_counted(suite: RunningSuite, site: Site, url: str) -> None:
    base = f"http://127.0.0.1:{suite.device_port}"
    wrong = url.replace("/d/", "/d/x")
    targets = [
        f"{wrong}{site.DOOR}.cfg",
        f"{url}{site.SPARE}.cfg",
        f"{base}/0C1105FFFFFF.cfg",
        f"{base}/d/../{site.DOOR}.cfg",
        f"{base}/d/%2e%2e/etc/passwd",
        f"{base}//{'A' * 3000}.cfg",
        f"{base}/",
    ]
    before = suite.metric("provisiond", "intercom_provisiond_config_refusals_total")
    answers = [curl(target) for target in targets]
    for _, headers, _ in answers:
        headers.pop("date", None)
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
    assert suite.metric("provisiond", "intercom_provisiond_config_refusals_total") - before == len(targets)


@on_both
@pytest_twisted.ensureDeferred
async def test_an_edit_notifies_exactly_the_devices_it_changes(suite: RunningSuite) -> None:
    site = build_site(suite)
    # A second building whose door phone and monitor have nothing to do with the first one's relays.
    other = site.api.call("POST", f"/communities/{site.community}/buildings", {"name": "Building 2"})["id"]
    site.add_door(site.SPARE, "Gate2", other)
    macs = [site.DOOR, site.MONITOR, site.SPARE]
    # All of it is rendered before the first pull: a device that pulls in between is rightly told to pull again.
    until(lambda: suite.metric("provisiond", "intercom_provisiond_devices") == len(macs))
    bootstrap_url = f"http://127.0.0.1:{suite.device_port}"
    fleet = Fleet(reactor, Random(1), bootstrap_url, [Hardware(mac) for mac in macs], Faults(), Timing(), 0.1)
    fleet.start()
    assert await fleet.all_registered(20), fleet.line()
    pulls = [device.pulls for device in fleet.devices]

    await deferToThread(site.rename_first_relay, "Main entrance")

    door, monitor, other_door = fleet.devices
    told = await fleet.wait_until(lambda: door.pulls > pulls[0] and monitor.pulls > pulls[1], 10)
    assert told, fleet.line()
    assert door.flash.config["Config.DoorSetting.RELAY.NameA"] == "Main entrance"
    assert monitor.flash.config["Config.DoorSetting.RELAY.IdleDisplayName1"] == "Main entrance"
    assert (door.notifies, monitor.notifies, other_door.notifies) == (1, 1, 0)
    assert other_door.pulls == pulls[2]
    in_step = lambda: site.device(site.DOOR)["config"]["in_step"]  # noqa: E731
    assert await deferToThread(until, in_step, 5)
    await fleet.stop()


@on_both
@pytest_twisted.ensureDeferred
async def test_a_killed_daemon_comes_back_with_everything(suite: RunningSuite) -> None:
    site = build_site(suite)
    bootstrap_url = f"http://127.0.0.1:{suite.device_port}"
    hardware = [Hardware(mac) for mac in (site.DOOR, site.MONITOR)]
    fleet = Fleet(reactor, Random(2), bootstrap_url, hardware, Faults(), Timing(), 0.1)
    fleet.start()
    assert await fleet.all_registered(20), fleet.line()
    number = site.device(site.DOOR)["number"]

    # provisiond is down while the edit is made: the notification is found and sent when it is back.
    await deferToThread(suite.kill_daemon, "provisiond")
    await deferToThread(suite.kill_daemon, "admin_api")
    await deferToThread(site.rename_first_relay, "While restarting")
    await deferToThread(suite.kill_daemon, "sipd")

    assert suite.metric("sipd", "intercom_sipd_bindings") == 2, "bindings were loaded again"
    door = fleet.devices[0]
    got = await fleet.wait_until(lambda: door.flash.config["Config.DoorSetting.RELAY.NameA"] == "While restarting", 15)
    assert got, fleet.line() + suite.tail()
    page = await deferToThread(site.device, site.DOOR)
    assert (page["number"], page["status"]["online"]) == (number, True)
    await fleet.stop()


def test_everything_survives_a_power_cut_and_a_second_start_is_quick(tmp_path: Path) -> None:
    suite = RunningSuite(tmp_path)
    try:
        site = build_site(suite)
        url = bootstrap(suite, site.DOOR)
        text = pull(url, f"{site.DOOR}.cfg")
        register(autop(text), tmp_path, expires=60)
        suite.kill(children=False)  # its children end with it and free their ports
        suite.start()
        suite.kill(children=True)
        suite.start()
        assert suite.password == "", "the first password is shown once"
        assert pull(url, f"{site.DOOR}.cfg") == text
        assert suite.metric("sipd", "intercom_sipd_bindings") == 1
        again = Site.__new__(Site)
        again.__dict__.update(site.__dict__)
        assert again.device(site.DOOR)["status"]["online"] is True, "the session and the binding are there again"
    finally:
        assert suite.stop() == 0
    assert suite.output[-1] == "stopped"


def _fails_with(config: Path) -> list[str]:
    done = subprocess.run([*SUITE, "run", "--config", str(config)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return [line for line in done.stderr.splitlines() if line]


def test_a_start_that_can_not_work_says_why_and_exits_with_1(suite: RunningSuite, tmp_path: Path) -> None:
    (line,) = _fails_with(suite.config)
    assert "another suite is running on" in line

    same_ports = tmp_path / "same-ports.toml"
    same_ports.write_text(suite.config.read_text().replace(f"{suite.folder}/data", f"{suite.folder}/other"))
    lines = _fails_with(same_ports)
    assert lines
    assert all("can't listen on 127.0.0.1:" in line and "in use" in line for line in lines)

    bad = tmp_path / "bad.toml"
    bad.write_text('data_dir = "/tmp"\n[sipd]\nport = 5060\nudp = "nowhere"\n[metric]\n')
    lines = _fails_with(bad)
    assert [line.split(": ")[1] for line in lines] == ["sipd.udp", "sipd.port", "metric"]

    file = tmp_path / "file"
    file.touch()
    unwritable = tmp_path / "unwritable.toml"
    unwritable.write_text(f'data_dir = "{file}/data"\n')
    (line,) = _fails_with(unwritable)
    assert "not writable" in line
