from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.config_file import parse


def test_settings_comments_blank_lines_and_line_ends():
    text = (
        "#!version:1.0.0.1\r\n"
        "; a comment\n"
        "\n"
        "  Config.Account1.GENERAL.Label = Gate 1 \r\n"
        "Config.Account1.GENERAL.Pwd=a=b = c\n"
        "Config.DoorSetting.DTMF.Code1 = #\n"
        "Config.Contact.Url =\n"
    )
    assert parse(text) == {
        "Config.Account1.GENERAL.Label": "Gate 1",
        "Config.Account1.GENERAL.Pwd": "a=b = c",
        "Config.DoorSetting.DTMF.Code1": "#",
        "Config.Contact.Url": "",
    }


def test_the_last_setting_of_a_key_wins():
    assert parse("Config.A.B = 1\nConfig.A.B = 2\n") == {"Config.A.B": "2"}


def test_unreadable_lines_are_passed_over():
    assert parse("<html>\nConfig = 1\nConfig.A B = 1\nconfig.a.b = 1\nConfig.A.B 1\nConfig.A.C = 1") == {
        "Config.A.C": "1"
    }


def test_only_line_feeds_end_a_line():
    assert parse("Config.A.B = x\u2028Config.A.C = y") == {"Config.A.B": "x\u2028Config.A.C = y"}


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text):
    for key, value in parse(text).items():
        assert key.startswith("Config.")
        assert "\n" not in value
