"""The registrar's decisions, seen from the wire (RFC 3261 §10.3)."""

from __future__ import annotations

import pytest
from sipd_rig import NUMBER, PHONE, START, BrokenJournal, Phone, Rig, account, contacts

from sipd.registrar.limits import Limits
from sipd.transport.flow import Flow

CONTACT = f"Contact: <sip:{NUMBER}@10.0.0.9:5060>"


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def phone(rig: Rig) -> Phone:
    return Phone(rig)


def test_register_stores_a_binding_with_its_flow_and_says_so(rig: Rig, phone: Phone) -> None:
    response = phone.register(CONTACT + ";q=0.5", "Expires: 120", "User-Agent: Gate\x01 1.0")
    assert response.status == 200
    assert response.headers.all("Contact") == [f"<sip:{NUMBER}@10.0.0.9:5060>;q=0.5;expires=120"]
    (binding,) = rig.location.bindings(NUMBER)
    assert binding.flow == Flow("udp", *PHONE)
    assert binding.expires_at == START + 120
    assert binding.user_agent == "Gate 1.0"
    assert rig.changed == [NUMBER]


def test_fetch_lists_bindings_and_changes_nothing(rig: Rig, phone: Phone) -> None:
    phone.register(CONTACT, "Expires: 120")
    rig.clock.advance(20)
    response = phone.register()
    assert response.headers.all("Contact") == [f"<sip:{NUMBER}@10.0.0.9:5060>;expires=100"]


def test_the_200_waits_for_the_disk_and_memory_does_not(rig: Rig, phone: Phone) -> None:
    phone.challenge()
    rig.pool.held = []
    data = phone.signed(CONTACT)
    assert rig.send(data) == []
    assert contacts(rig)
    assert rig.send(data) == [], "a retransmission meanwhile is absorbed"
    rig.pool.release()
    assert [data.split()[1] for data, _ in rig.wire.written] == [b"200"]


def test_what_arrives_while_the_disk_is_busy_goes_in_one_group(rig: Rig) -> None:
    phones = [Phone(rig, f"59261000{i}", call_id=f"c{i}") for i in range(3)]
    for i, phone in enumerate(phones):
        rig.directory.put(account(phone.number, account_id=10 + i))
        phone.challenge()
    rig.pool.held = []
    for phone in phones:
        rig.send(phone.signed(CONTACT))
    rig.pool.release()
    assert rig.value("intercom_sipd_commit_changes_count") == 1
    rig.pool.release()
    rig.pool.release()
    assert rig.value("intercom_sipd_commit_changes_count") == 2
    assert rig.value("intercom_sipd_commit_changes_sum") == 3


def test_disk_full_is_503_and_nothing_is_reported(phone: Phone) -> None:
    rig = Rig(BrokenJournal())
    response = Phone(rig).register(CONTACT)
    assert response.status == 503
    assert response.headers.first("Retry-After") == "5"
    assert rig.changed == []


def test_a_retransmitted_register_gets_the_same_answer(rig: Rig, phone: Phone) -> None:
    phone.challenge()
    data = phone.signed(CONTACT)
    first = rig.send(data)
    assert rig.send(data) == first
    assert rig.changed == [NUMBER]
    rig.clock.advance(33)
    assert rig.answer(data).status == 401, "after timer J it is a replay"


@pytest.mark.parametrize(
    ("header", "expires", "seconds"),
    [
        ("", "", 300),
        ("", "Expires: 600", 600),
        (";expires=900", "Expires: 600", 900),
        (";expires=99999999999", "", 3600),
        (";expires=soon", "Expires: 600", 300),
        ("", "Expires: later", 300),
    ],
)
def test_expiry_is_parameter_then_header_then_default(phone: Phone, header: str, expires: str, seconds: int) -> None:
    response = phone.register(CONTACT + header, *filter(None, [expires]))
    assert response.headers.first("Contact") == f"<sip:{NUMBER}@10.0.0.9:5060>;expires={seconds}"


def test_too_brief_is_423_for_the_whole_request(rig: Rig, phone: Phone) -> None:
    response = phone.register(f"{CONTACT}, <sip:b@10.0.0.8>;expires=59")
    assert response.status == 423
    assert response.headers.first("Min-Expires") == "60"
    assert contacts(rig) == []


def test_several_contacts_and_removal_of_one(rig: Rig, phone: Phone) -> None:
    phone.register("Contact: <sip:a@10.0.0.1>, <sip:b@10.0.0.2>", "Contact: <sip:c@10.0.0.3>")
    phone.register("Contact: <sip:b@10.0.0.2>;expires=0")
    assert contacts(rig) == ["sip:a@10.0.0.1", "sip:c@10.0.0.3"]


def test_refresh_of_an_equal_uri_replaces_it(rig: Rig, phone: Phone) -> None:
    phone.register("Contact: <sip:%61@EXAMPLE.org;x=1>")
    phone.register("Contact: <sip:a@example.org;x=1>")
    assert contacts(rig) == ["sip:a@example.org;x=1"]


def test_instance_and_reg_id_replace_a_binding_of_another_address(rig: Rig, phone: Phone) -> None:
    flow = ';+sip.instance="<urn:uuid:1>";reg-id=1'
    phone.register("Contact: <sip:a@10.0.0.1>" + flow)
    response = phone.register("Contact: <sip:a@10.0.0.2>" + flow)
    assert contacts(rig) == ["sip:a@10.0.0.2"]
    assert '+sip.instance="<urn:uuid:1>";reg-id=1' in (response.headers.first("Contact") or "")


def test_a_path_is_kept_and_told(rig: Rig, phone: Phone) -> None:
    response = phone.register(CONTACT, "Supported: path", "Path: <sip:edge.example.org;lr>")
    assert response.headers.all("Path") == ["<sip:edge.example.org;lr>"]
    assert rig.location.bindings(NUMBER)[0].path == "<sip:edge.example.org;lr>"


def test_the_same_contact_twice_in_a_request_is_one_binding(rig: Rig, phone: Phone) -> None:
    assert phone.register("Contact: <sip:a@10.0.0.1>, <sip:a@10.0.0.1>;expires=99").status == 200
    assert [binding.expires_at - START for binding in rig.location.bindings(NUMBER)] == [99]


def test_wildcard_removes_all_and_needs_expires_zero(rig: Rig, phone: Phone) -> None:
    phone.register("Contact: <sip:a@10.0.0.1>, <sip:b@10.0.0.2>")
    assert phone.register("Contact: *").status == 400
    assert phone.register("Contact: *", "Expires: 60").status == 400
    assert phone.register("Contact: *, <sip:a@10.0.0.1>", "Expires: 0").status == 400
    assert len(contacts(rig)) == 2
    assert phone.register("Contact: *", "Expires: 0").status == 200
    assert contacts(rig) == []


def test_an_older_request_of_the_same_call_changes_nothing(rig: Rig, phone: Phone) -> None:
    phone.register(CONTACT)
    phone.cseq -= 2
    phone.call_id = "call-1"
    late = phone.signed("Contact: <sip:other@10.0.0.1>", CONTACT + ";expires=0").replace(
        b"branch=z9", b"branch=z9hG4bKlate"
    )
    assert rig.answer(late).status == 500
    assert contacts(rig) == [f"sip:{NUMBER}@10.0.0.9:5060"]


def test_another_call_id_may_take_over(rig: Rig, phone: Phone) -> None:
    phone.register(CONTACT)
    again = Phone(rig, call_id="call-2")
    assert again.register(CONTACT).status == 200
    assert rig.location.bindings(NUMBER)[0].call_id == "call-2"


def test_only_its_own_number(rig: Rig, phone: Phone) -> None:
    rig.directory.put(account("5926100062", account_id=2))
    assert phone.register(CONTACT, to="5926100062").status == 403
    assert contacts(rig, "5926100062") == []


def test_contact_limit() -> None:
    rig = Rig(limits=Limits(contacts=2))
    phone = Phone(rig)
    assert phone.register("Contact: <sip:a@h>, <sip:b@h>, <sip:c@h>").status == 403
    assert contacts(rig) == []


def test_unknown_extension_scheme_and_contact_scheme(rig: Rig, phone: Phone) -> None:
    response = phone.register(CONTACT, "Require: gruu, path")
    assert response.status == 420
    assert response.headers.first("Unsupported") == "gruu"
    assert rig.answer(phone.request("REGISTER", uri="tel:+123")).status == 416
    assert phone.register("Contact: <mailto:a@b.c>").status == 400


def test_expiry_is_reported_once_and_a_refresh_moves_it(rig: Rig, phone: Phone) -> None:
    phone.register(CONTACT, "Expires: 100")
    rig.clock.advance(90)
    phone.register(CONTACT, "Expires: 100")
    rig.clock.advance(99)
    assert rig.expired == []
    assert contacts(rig)
    rig.clock.advance(2)
    assert rig.expired == [NUMBER]
    assert rig.value("intercom_sipd_registered_aors") == 0
    assert rig.value("intercom_sipd_bindings") == 0


def test_one_of_two_bindings_runs_out(rig: Rig, phone: Phone) -> None:
    phone.register("Contact: <sip:a@h>;expires=60, <sip:b@h>;expires=120")
    rig.clock.advance(61)
    assert rig.expired == [NUMBER]
    assert contacts(rig) == ["sip:b@h"]
    rig.clock.advance(60)
    assert rig.expired == [NUMBER, NUMBER]


def test_forgetting_a_number(rig: Rig, phone: Phone) -> None:
    phone.register(CONTACT)
    rig.registrar.forget(NUMBER)
    rig.clock.advance(0)
    assert contacts(rig) == []
    assert rig.changed == [NUMBER, NUMBER]
