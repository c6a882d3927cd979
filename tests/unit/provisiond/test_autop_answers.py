from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provisiond.autop.answers import Answers, ClaimRequest, CloneAlarm, Delivery, Refusal, Response
from provisiond.autop.claim import ClaimState
from provisiond.autop.render import FileKind
from provisiond.autop.shelf import Shelf
from tests.unit.provisiond.samples import MAC, NOON, TOKEN, entry

DEVICE = f"/d/{TOKEN}/{MAC}.cfg".encode()
TAKEN = ClaimState(NOON + timedelta(hours=1), NOON - timedelta(seconds=30), "10.0.0.5")


def shelf_with(claim: ClaimState | None = None) -> Shelf:
    shelf = Shelf()
    shelf.put(entry() if claim is None else entry(claim=claim))
    return shelf


def ask(target: bytes, method: bytes = b"GET", known: bytes = b"", *, claim: ClaimState | None = None) -> Response:
    decision = Answers(shelf_with(claim), lambda: NOON).answer(method, target, known, "10.0.0.5")
    assert isinstance(decision, Response)
    return decision


@pytest.mark.parametrize(
    ("name", "kind", "content_type"),
    [
        (f"{MAC}.cfg", FileKind.DEVICE, b"text/plain"),
        (f"{MAC.lower()}.cfg", FileKind.DEVICE, b"text/plain"),
        ("r000000000113.cfg", FileKind.COMMON, b"text/plain"),
        ("r00000000000029P.cfg", FileKind.COMMON, b"text/plain"),
        ("contacts.xml", FileKind.CONTACTS, b"text/xml"),
    ],
)
def test_a_device_gets_its_files_under_its_own_url(name: str, kind: FileKind, content_type: bytes) -> None:
    response = ask(f"/d/{TOKEN}/{name}".encode())
    assert (response.status, response.kind) == (b"200 OK", kind)
    assert b"Content-Type: " + content_type in response.fields
    assert b"Content-Length: %d\r\n" % len(response.body) in response.fields


def test_absolute_form_is_the_same_request() -> None:
    assert ask(b"HTTP://provision.example:8080" + DEVICE) == ask(DEVICE)


def test_only_the_device_file_counts_as_a_delivery_and_only_by_get() -> None:
    digest = entry().files.digest
    assert ask(DEVICE).event == Delivery(1, digest)
    assert ask(DEVICE, known=entry().files.device.etag).event == Delivery(1, digest)
    assert ask(DEVICE, b"HEAD").event is None
    assert ask(f"/d/{TOKEN}/contacts.xml".encode()).event is None


@pytest.mark.parametrize("form", [b"%b", b"W/%b", b'"other", %b', b"*"])
def test_what_the_device_has_is_not_sent_again(form: bytes) -> None:
    etag = entry().files.device.etag
    response = ask(DEVICE, known=form % etag if b"%" in form else form)
    assert (response.status, response.body) == (b"304 Not Modified", b"")
    assert etag in response.fields
    assert ask(DEVICE, known=b'"other"').status == b"200 OK"


WRONG = [
    (f"/d/{'y' * 32}/{MAC}.cfg", Refusal.TOKEN),
    (f"/d/{TOKEN}/0C11050B9815.cfg", Refusal.NAME),
    (f"/d/{TOKEN}/r113.cfg", Refusal.NAME),
    (f"/d/{TOKEN}/device.cfg.j2", Refusal.NAME),
    (f"/d/{TOKEN}/..", Refusal.NAME),
    (f"/d/{TOKEN}/", Refusal.PATH),
    (f"/d/{TOKEN}", Refusal.PATH),
    (f"/d/{TOKEN[:-1]}/{MAC}.cfg", Refusal.PATH),
    (f"/d/{TOKEN}//{MAC}.cfg", Refusal.PATH),
    (f"//d/{TOKEN}/{MAC}.cfg", Refusal.PATH),
    (f"/d/{TOKEN}/{MAC}.cfg/", Refusal.PATH),
    (f"/d/{TOKEN}/{MAC}.cfg?x=1", Refusal.PATH),
    (f"/d/{TOKEN}/../{TOKEN}/{MAC}.cfg", Refusal.PATH),
    (f"/d/{TOKEN}/%2e%2e/{MAC}.cfg", Refusal.PATH),
    (f"/d/{TOKEN}/{MAC}%2ecfg", Refusal.PATH),
    (f"/d/{TOKEN}/{MAC}.cfg\x00", Refusal.PATH),
    (f"/d/{TOKEN}/{MAC}.cfg\n", Refusal.PATH),
    ("/0C11050B9815.cfg", Refusal.MAC),
    ("/autop/0C11050B9815.cfg", Refusal.MAC),
    ("/other/0C11050B9814.cfg", Refusal.PATH),
    ("/", Refusal.PATH),
    ("*", Refusal.PATH),
    ("http:///0C11050B9814.cfg", Refusal.PATH),
    ("", Refusal.PATH),
    ("../../etc/passwd", Refusal.PATH),
    ("/" + "a" * 512, Refusal.TARGET_TOO_LONG),
]


@pytest.mark.parametrize(("target", "reason"), WRONG)
def test_everything_wrong_gets_one_and_the_same_answer(target: str, reason: Refusal) -> None:
    response = ask(target.encode())
    assert response.refusal is reason
    assert replace(response, refusal=None) == replace(ask(b"/nothing"), refusal=None)
    assert response.status == b"404 Not Found"


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PROPFIND"])
def test_other_methods_are_refused_alike_for_known_and_unknown_paths(method: bytes) -> None:
    assert ask(DEVICE, method) == ask(b"/nothing", method)
    assert ask(DEVICE, method).status == b"405 Method Not Allowed"


def test_an_open_claim_has_to_be_recorded_first() -> None:
    shelf = shelf_with()
    for path in (f"/{MAC}.cfg", f"/autop/{MAC}.cfg", f"/{MAC.lower()}.cfg"):
        decision = Answers(shelf, lambda: NOON).answer(b"GET", path.encode(), b"", "10.0.0.5")
        assert decision == ClaimRequest(entry(), "10.0.0.5")


def test_head_neither_takes_a_claim_nor_tells_that_the_mac_is_known() -> None:
    assert ask(f"/{MAC}.cfg".encode(), b"HEAD") == ask(b"/0C11050B9815.cfg", b"HEAD")


def test_the_taker_may_repeat_for_a_minute_and_anybody_else_is_an_alarm() -> None:
    path = f"/{MAC}.cfg".encode()
    repeated = ask(path, claim=TAKEN)
    assert repeated.kind is FileKind.BOOTSTRAP
    assert TOKEN.encode() in repeated.body
    for state in (
        replace(TAKEN, claimed_from="10.0.0.6"),
        replace(TAKEN, claimed_at=NOON - timedelta(seconds=61)),
        replace(TAKEN, claimed_at=NOON + timedelta(hours=1)),  # the clock was set back
    ):
        refused = ask(path, claim=state)
        assert refused.event == CloneAlarm(1, 7, MAC, "10.0.0.5")
        assert replace(refused, refusal=None, event=None) == replace(ask(b"/nothing"), refusal=None)


@pytest.mark.parametrize("state", [ClaimState(), ClaimState(open_until=NOON)])
def test_a_window_that_is_not_open_gives_nothing_and_no_alarm(state: ClaimState) -> None:
    refused = ask(f"/{MAC}.cfg".encode(), claim=state)
    assert (refused.refusal, refused.event) == (Refusal.CLAIM_CLOSED, None)


def test_a_replaced_device_leaves_no_way_in_behind() -> None:
    shelf = shelf_with()
    shelf.put(entry(token="z" * 32, mac="0C1105000002"))
    assert shelf.by_token(TOKEN.encode()) is None
    assert shelf.by_mac(MAC) is None
    assert shelf.ids_of(7) == {1}
    shelf.drop([1, 99])
    assert (len(shelf), shelf.by_token(b"z" * 32), shelf.ids_of(7)) == (0, None, frozenset())


def test_a_mac_that_moved_to_a_newer_device_stays_with_it() -> None:
    shelf = shelf_with()
    shelf.put(entry(2, "z" * 32))
    shelf.drop([1])
    found = shelf.by_mac(MAC)
    assert found is not None
    assert found.device_id == 2
