"""The short way for refreshes: it must not be seen but by a clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sipd_rig import NUMBER, PHONE, BrokenJournal, DirectPool, Phone, Rig, account

from sipd.hot.template import Shapes, cut
from sipd.location.commit import Commits, NoCommit
from sipd.location.journal import MemoryJournal

CONTACT = "Contact: <sip:5926100061@10.0.0.9:5060>"
HEADERS = ("Max-Forwards: 70", CONTACT, "Expires: 120", "User-Agent: Door/1", "Supported: path", "Content-Length: 0")
OTHER = ("203.0.113.8", 40001)
_VARYING = re.compile(rb'(;tag=|nonce=")[^"\r;]*')


def known_phone(**options: object) -> Phone:
    """One whose next REGISTER goes the short way."""
    phone = Phone(Rig(**options))  # type: ignore[arg-type]
    for _ in range(3):
        assert phone.register(*HEADERS).status == 200
    assert len(phone.rig.hot) == 1
    return phone


def took_short_way(phone: Phone, data: bytes) -> bool:
    return phone.rig.udp.take(data, PHONE) is not None


@pytest.mark.parametrize("commits", [None, NoCommit()])
def test_a_refresh_goes_the_short_way_and_does_what_the_long_one_does(commits: Commits | None) -> None:
    phone = known_phone(commits=commits)
    phone.rig.clock.advance(50)
    answers = phone.rig.value("intercom_sipd_requests_total", method="REGISTER", code="2xx")
    checks = phone.rig.value("intercom_sipd_auth_total", outcome="ok")
    phone.rig.changed.clear()
    message = phone.signed(*HEADERS)
    phone.rig.udp.datagramReceived = lambda *_: pytest.fail("the long way")  # type: ignore[method-assign]
    ((answer, destination),) = phone.rig.send(message)
    assert answer.startswith(b"SIP/2.0 200 OK\r\n")
    assert b"Contact: <sip:5926100061@10.0.0.9:5060>;expires=120\r\n" in answer
    assert destination == PHONE
    (binding,) = phone.rig.location.bindings(NUMBER)
    assert (binding.cseq, binding.expires_at) == (phone.cseq, phone.rig.clock.seconds() + 120)
    assert phone.rig.value("intercom_sipd_requests_total", method="REGISTER", code="2xx") == answers + 1
    assert phone.rig.value("intercom_sipd_auth_total", outcome="ok") == checks + 1
    assert phone.rig.changed == [NUMBER]
    assert phone.rig.send(message) == [(answer, destination)]
    assert phone.rig.location.bindings(NUMBER)[0].cseq == phone.cseq


def test_a_challenge_goes_the_short_way_too() -> None:
    phone = known_phone()
    message = phone.request("REGISTER", *HEADERS)
    taken = phone.rig.udp.take(message, PHONE)
    assert taken is not None
    assert taken.startswith(b"SIP/2.0 401 Unauthorized\r\n")
    phone.nonce = re.findall(rb'nonce="([^"]+)"', taken)[0].decode()
    phone.count = 0
    assert took_short_way(phone, phone.signed(*HEADERS))


def test_a_captured_request_can_not_be_used_with_another_contact() -> None:
    phone = known_phone()
    message = phone.signed(*HEADERS)
    phone.rig.send(message)
    before = phone.rig.location.bindings(NUMBER)
    forged = message.replace(b"10.0.0.9:5060>", b"10.6.6.6:5060>").replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")
    assert not took_short_way(phone, forged)
    again = message.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")
    assert not took_short_way(phone, again)
    assert phone.rig.answer(forged).status == 401
    assert phone.rig.location.bindings(NUMBER) == before


def test_what_another_request_changed_ends_the_short_way() -> None:
    phone = known_phone()
    other = Phone(phone.rig, call_id="call-2")
    assert other.register("Contact: <sip:other@h>").status == 200
    message = phone.signed(*HEADERS)
    assert not took_short_way(phone, message)
    assert len(phone.rig.answer(message).headers.all("Contact")) == 2


@pytest.mark.parametrize("change", [account(secret="new"), account(active=False)])
def test_a_changed_account_ends_it(change: object) -> None:
    phone = known_phone()
    phone.rig.directory.put(change)  # type: ignore[arg-type]
    assert not took_short_way(phone, phone.signed(*HEADERS))


def test_what_ran_out_is_forgotten() -> None:
    phone = known_phone()
    phone.rig.clock.advance(121)
    assert len(phone.rig.hot) == 0


def test_the_answer_waits_for_the_disk_and_repetitions_with_it() -> None:
    phone = known_phone()
    pool: DirectPool = phone.rig.pool
    pool.held = []
    message = phone.signed(*HEADERS)
    assert phone.rig.send(message) == []
    assert phone.rig.send(message) == []
    phone.rig.wire.written.clear()
    while pool.held:
        pool.release()
        phone.rig.clock.advance(0)
    assert [data[:15] for data, _ in phone.rig.wire.written] == [b"SIP/2.0 200 OK\r"]


def test_what_can_not_be_stored_is_refused() -> None:
    phone = known_phone(journal=(journal := MemoryJournal()))
    journal.append = BrokenJournal().append  # type: ignore[method-assign]
    message = phone.signed(*HEADERS)
    answer = phone.rig.answer(message)
    assert (answer.status, answer.headers.first("Retry-After")) == (503, "5")
    assert phone.rig.hot.take(message, PHONE) is not None


@pytest.mark.parametrize(
    "header",
    [
        "Contact: <sip:second@h>",
        "Path: <sip:p;lr>",
        "Supported: path\r\n , timer",
        "Call-ID: call-1",
        "CSeq: 1 REGISTER",
    ],
)
def test_unusual_messages_are_never_learned(header: str) -> None:
    phone = Phone(Rig())
    for _ in range(3):
        if not phone.nonce:
            phone.challenge()
        phone.rig.send(phone.signed(*HEADERS, header))
    assert len(phone.rig.hot) == 0


def test_a_parameter_inside_a_quoted_string_is_not_taken_for_one() -> None:
    phone = known_phone()
    message = phone.signed(*HEADERS)
    decoy = message.replace(b"Digest username", b'Digest opaque="nonce=x, nc=00000001", username')
    cuts = cut(decoy)
    assert cuts is not None
    assert len(cuts.names) == len((cut(message) or cuts).names)
    assert cut(message.replace(b"Digest username", b'Digest opaque="a\\"b", username')) is None


def test_shapes_are_bounded() -> None:
    phone = known_phone()
    shapes = Shapes(limit=1)
    message = phone.signed(*HEADERS)
    assert shapes.of(message) is shapes.of(phone.signed(*HEADERS))
    assert shapes.of(message.replace(b"User-Agent: Door/1", b"User-Agent: Door/1.2")) is None


class Pair:
    """The same phone with and without the short way."""

    def __init__(self, commits: Callable[[], Commits | None]) -> None:
        self.phones = [Phone(Rig(commits=commits(), short=short)) for short in (True, False)]
        self.sent: list[tuple[bytes, bytes]] = []

    def send(self, messages: list[bytes], source: tuple[str, int] = PHONE) -> None:
        self.sent.append((messages[0], messages[1]))
        answers = []
        for phone, message in zip(self.phones, messages, strict=True):
            out = phone.rig.send(message, source)
            answers.append([(_VARYING.sub(rb"\1", data), to) for data, to in out])
            for data, _ in out:
                found = re.search(rb'nonce="([^"]+)"', data)
                if found:
                    phone.nonce, phone.count = found[1].decode(), 0
        assert answers[0] == answers[1]
        self.compare()

    def compare(self) -> None:
        states = [
            [astuple(binding) for binding in phone.rig.location.bindings(NUMBER)]
            + [
                phone.rig.value("intercom_sipd_auth_total", outcome=outcome)
                for outcome in ("ok", "challenge", "denied", "stale", "inactive")
            ]
            + [len(phone.rig.servers)]
            for phone in self.phones
        ]
        assert states[0] == states[1]

    def signed(self, headers: tuple[str, ...] = HEADERS) -> list[bytes]:
        return [phone.signed(*headers) for phone in self.phones]

    def each(self, call: Callable[[Phone], object]) -> None:
        for phone in self.phones:
            call(phone)


def _older(phone: Phone) -> None:
    phone.cseq = max(phone.cseq - 2, 0)


def _used(phone: Phone) -> None:
    phone.count = max(phone.count - 1, 0)


_SIMPLE: dict[str, Callable[[Pair], None]] = {
    "refresh": lambda pair: pair.send(pair.signed()),
    "again": lambda pair: pair.send(pair.signed()),
    "challenge": lambda pair: pair.send([phone.request("REGISTER", *HEADERS) for phone in pair.phones]),
    "other contact": lambda pair: pair.send(pair.signed(("Contact: <sip:new@10.0.0.9>",))),
    "other expiry": lambda pair: pair.send(pair.signed((CONTACT, "Expires: 600"))),
    "remove": lambda pair: pair.send(pair.signed((CONTACT, "Expires: 0"))),
    "wildcard": lambda pair: pair.send(pair.signed(("Contact: *", "Expires: 0"))),
    "fetch": lambda pair: pair.send(pair.signed(())),
    "require": lambda pair: pair.send(pair.signed((*HEADERS, "Require: gruu"))),
    "other source": lambda pair: pair.send(pair.signed(), OTHER),
    "older CSeq": lambda pair: (pair.each(_older), pair.send(pair.signed()))[1],
    "used count": lambda pair: (pair.each(_used), pair.send(pair.signed()))[1],
    "wrong secret": lambda pair: pair.send(
        [phone.request("REGISTER", *HEADERS, phone.authorization(secret="no")) for phone in pair.phones]
    ),
    "new secret": lambda pair: pair.each(
        lambda phone: phone.rig.directory.put(account(secret="other"))  # the phone keeps the old one
    ),
    "same secret": lambda pair: pair.each(lambda phone: phone.rig.directory.put(account())),
    "off": lambda pair: pair.each(lambda phone: phone.rig.directory.put(account(active=False))),
    "gone": lambda pair: pair.each(lambda phone: phone.rig.registrar.forget(NUMBER)),
    "other call": lambda pair: pair.each(lambda phone: setattr(phone, "call_id", phone.call_id + "x")),
}

_steps = st.one_of(
    st.sampled_from(sorted(_SIMPLE)),
    st.just("refresh"),
    st.tuples(st.just("wait"), st.sampled_from([1, 31, 33, 60, 119, 121, 599])),
    st.tuples(st.just("repeat"), st.integers(1, 4)),
    st.tuples(st.just("replay"), st.integers(1, 4)),
    st.tuples(st.just("mutate"), st.integers(0, 900), st.binary(min_size=0, max_size=2)),
)


def _step(pair: Pair, step: object) -> None:
    match step:
        case str(name):
            _SIMPLE[name](pair)
        case ("wait", int(seconds)):
            pair.each(lambda phone: phone.rig.clock.advance(seconds))
            pair.compare()
        case ("repeat", int(back)) if len(pair.sent) >= back:
            pair.send(list(pair.sent[-back]))
        case ("replay", int(back)) if len(pair.sent) >= back:
            swapped = (rb"branch=z9hG4bK", rb"branch=z9hG4bKnew"), (rb"10\.0\.0\.9:5060>", rb"10.6.6.6:5060>")
            messages = list(pair.sent[-back])
            for before, after in swapped:
                messages = [re.sub(before, after, message) for message in messages]
            pair.send(messages)
        case ("mutate", int(at), bytes(data)):
            pair.send([message[:at] + data + message[at + 1 :] for message in pair.signed()])
        case _:
            pass


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.lists(_steps, max_size=25))
def test_both_ways_are_the_same(durable: bool, steps: list[object]) -> None:
    pair = Pair(lambda: None if durable else NoCommit())
    for _ in range(4):
        pair.send(pair.signed())
    for step in steps:
        _step(pair, step)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 900), st.integers(0, 12), st.binary(max_size=3))
def test_a_changed_byte_means_the_same_on_both_ways(at: int, removed: int, data: bytes) -> None:
    pair = Pair(NoCommit)
    for _ in range(4):
        pair.send(pair.signed())
    assert len(pair.phones[0].rig.hot) == 1
    pair.send([message[:at] + data + message[at + removed :] for message in pair.signed()])
    pair.send(pair.signed())
