"""What sipd answers to the torture messages, from datagram to datagram."""

from __future__ import annotations

import pytest
from sipd_rig import Phone, Rig, contacts

from tests.conformance.sip.torture_messages import CASES, KEPT, SILENCE, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.section)
def test_answer(case: Case) -> None:
    rig = Rig()
    sent = [int(data.split()[1]) for data, _ in rig.send(case.data)]
    assert sent == ([] if case.outcome in (SILENCE, KEPT) else [case.outcome])
    assert rig.value("intercom_sipd_dropped_total", reason="error") == 0
    stray = rig.value("intercom_sipd_dropped_total", reason="stray-response")
    assert stray == (1 if case.outcome == KEPT else 0)


@pytest.mark.parametrize(
    ("section", "contact", "kept"),
    [
        ("3.1.1.4", "<sip:%00@192.0.2.21>, <sip:%00%00@192.0.2.21>", ["sip:%00@192.0.2.21", "sip:%00%00@192.0.2.21"]),
        ("3.3.12", "sip:gate@192.0.2.21;unheardof", ["sip:gate@192.0.2.21"]),
        ("3.3.13", "<sip:gate@192.0.2.21;unheardof>", ["sip:gate@192.0.2.21;unheardof"]),
        ("3.3.14", "<sip:gate@192.0.2.21?Route=%3Csip:r%3E>", ["sip:gate@192.0.2.21?Route=%3Csip:r%3E"]),
        ("5118-4.1", "<sip:gate@[2001:DB8::1]:5070>", ["sip:gate@[2001:db8::1]:5070"]),
        ("5118-4.10", "<sip:gate@[2001:db8:::192.0.2.1]>", ["sip:gate@[2001:db8::192.0.2.1]"]),
    ],
)
def test_contact_of_an_authenticated_register(section: str, contact: str, kept: list[str]) -> None:
    rig = Rig()
    assert Phone(rig).register(f"Contact: {contact}").status == 200, section
    assert contacts(rig) == kept


@pytest.mark.parametrize(
    ("section", "contact"),
    [
        ("3.1.2.13", "sip:gate@192.0.2.21?Route=%3Csip:relay.example.org%3E"),
        ("3.3.4", "<name:North_Gate>"),
        ("5118-4.2", "<sip:gate@2001:db8::1>"),
    ],
)
def test_contact_that_an_authenticated_register_must_not_have(section: str, contact: str) -> None:
    rig = Rig()
    assert Phone(rig).register(f"Contact: {contact}").status == 400, section
    assert contacts(rig) == []


def test_contacts_that_differ_in_writing_only_are_one() -> None:
    """RFC 3261 §19.1.4, RFC 5954 §4: escapes of letters, the case of parameters, other spellings of an IPv6 address."""
    rig = Rig()
    phone = Phone(rig)
    phone.register("Contact: <sip:g%61te@[2001:db8::1];Name=V%61lue?Subject=a&priority=b>")
    phone.register("Contact: <sip:gate@[2001:db8:0::1];n%61me=value?Priority=b&subject=a>")
    assert len(contacts(rig)) == 1
    phone.register("Contact: <sip:gate@[2001:db8::1];name=value?priority=b>", "Contact: <sip:g%3Bte@192.0.2.1>")
    phone.register("Contact: <sip:g;te@192.0.2.1>")
    assert len(contacts(rig)) == 4
