"""Checks of single values (guide §6.1, §7.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_core.model import values
from intercom_core.model.errors import InvalidValueError


@pytest.mark.parametrize("text", ["0C11050B9814", "0c:11:05:0b:98:14", "0c-11-05-0b-98-14", "0C11.050B.9814"])
def test_a_mac_is_stored_in_one_form(text: str) -> None:
    assert values.mac("mac", text) == "0C11050B9814"


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (values.mac, "0C11050B981"),
        (values.mac, "0C11050B98145"),
        (values.mac, "0C11050B981G"),
        (values.mac, "０C11050B9814"),
        (values.mac, "0C11050B98\ufb00"),  # a ligature whose upper case is FF
        (values.apartment_number, ""),
        (values.apartment_number, "1234567"),
        (values.apartment_number, "4a"),
        (values.apartment_number, "４０３"),
        (values.dtmf_code, ""),
        (values.dtmf_code, "A"),
        (values.dtmf_code, "12345"),
        (values.name, "  "),
        (values.name, "x" * 65),
        (values.name, "a\x00b"),
        (values.name, "line\nbreak"),
        (values.name, "line\u2028break"),
        (values.time_zone, "Mars/Olympus"),
        (values.time_zone, "../etc/passwd"),
        (values.time_zone, "localtime"),
        (values.time_zone, "Factory"),
        (values.email, "nobody"),
        (values.email, "a@b"),
        (values.phone, "call me"),
        (values.autop_command, "Config.A.B = 1"),
        (values.autop_command, "reboot"),
        (values.autop_command, "Config.Autoprovision.RESET_FACTORY.Enable = 1"),
        (values.autop_command, "config.autoprovision.reset_factory.enable = 1"),
        (values.autop_command, "Config.A.B.C = 1\nConfig.Autoprovision.RESET_FACTORY.Enable = 1"),
        (values.autop_command, "Config.A.B.C =" + "x" * 1010),  # 1024 characters, 1025 in its stored form
        (values.login, "a"),
        (values.login, "with space"),
        (values.password, "short"),
        (values.password, "\ud800" * 12),
        (values.password, "a long pass\0word"),
    ],
)
def test_a_bad_value_is_refused_with_its_field(check: Callable[[str, str], str], text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        check("relays.0.field", text)
    assert caught.value.field == "relays.0.field"


def test_leading_zeros_of_an_apartment_number_count() -> None:
    assert values.apartment_number("number", "007") == "007"


def test_a_command_is_stored_in_one_form() -> None:
    assert values.autop_command("line", " Config.Features.DOORPHONE.MaxCallTime = 3 ") == (
        "Config.Features.DOORPHONE.MaxCallTime = 3"
    )
    assert values.autop_command("line", "Config.A.B.C =") == "Config.A.B.C = "


@given(st.text(max_size=80))
def test_a_name_that_passes_is_one_clean_line(text: str) -> None:
    try:
        stored = values.name("name", text)
    except InvalidValueError:
        return
    assert stored == stored.strip()
    assert 0 < len(stored) <= 64
    assert len(stored.splitlines()) == 1
