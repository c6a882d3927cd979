"""Digest: who is let in, and what every refusal looks like."""

from __future__ import annotations

import re

import pytest
from sipd_rig import NUMBER, Phone, Rig, account, contacts

from sipd.auth.digest import Algorithm
from sipd.auth.nonce import NONCE_LIFETIME_SECONDS, Nonces, NonceUse, UsedNonces
from sipd.message.message import Response

CONTACT = "Contact: <sip:a@10.0.0.9>"


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def phone(rig: Rig) -> Phone:
    return Phone(rig)


def shape(response: Response) -> list[str]:
    """The response without what differs from request to request."""
    text = response.to_bytes().decode()
    text = re.sub(r'nonce="[^"]+"|tag=[0-9a-f]+|5926\d+', "", text)
    return text.split("\r\n")


def test_what_is_offered() -> None:
    (md5,) = Phone(Rig()).challenge().headers.all("WWW-Authenticate")
    assert re.fullmatch(r'Digest realm="example\.org", nonce="\S+", qop="auth", algorithm=MD5', md5)
    both = Phone(Rig(offered=(Algorithm.SHA256, Algorithm.MD5))).challenge().headers.all("WWW-Authenticate")
    assert [value.rpartition("=")[2] for value in both] == ["SHA-256", "MD5"]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_either_algorithm_lets_in(phone: Phone, algorithm: str) -> None:
    assert phone.register(CONTACT, algorithm=algorithm).status == 200


def test_the_algorithm_may_be_left_out(phone: Phone, rig: Rig) -> None:
    phone.challenge()
    assert rig.answer(phone.signed(CONTACT).replace(b"algorithm=MD5, ", b"")).status == 200


def test_unknown_wrong_and_family_numbers_get_one_answer(rig: Rig) -> None:
    rig.directory.put(account("5926000001", secret=None, account_id=2))
    answers = []
    for number, secret in ((NUMBER, "wrong"), ("5926999999", "x"), ("5926000001", "")):
        stranger = Phone(rig, number, secret)
        answers.append(shape(stranger.register(CONTACT)))
    assert answers[0] == answers[1] == answers[2]
    assert "401" in answers[0][0]
    assert rig.value("intercom_sipd_auth_total", outcome="denied") == 3


def test_inactive_is_403_but_only_with_the_right_secret(rig: Rig) -> None:
    rig.directory.put(account(active=False))
    assert Phone(rig).register(CONTACT).status == 403
    assert Phone(rig, secret="wrong").register(CONTACT).status == 401
    assert contacts(rig) == []


def test_a_replay_with_another_contact_changes_nothing(rig: Rig, phone: Phone) -> None:
    phone.challenge()
    captured = phone.signed(CONTACT)
    assert rig.answer(captured).status == 200
    forged = captured.replace(b"sip:a@10.0.0.9", b"sip:evil@192.0.2.66")
    forged = forged.replace(b"Call-ID: call-1", b"Call-ID: evil").replace(b"branch=z9hG4bK", b"branch=z9hG4bKevil")
    response = rig.answer(forged, ("192.0.2.66", 5060))
    assert response.status == 401
    assert "stale=true" in (response.headers.first("WWW-Authenticate") or "")
    assert contacts(rig) == ["sip:a@10.0.0.9"]


def test_a_refused_request_uses_its_nonce_count_too(rig: Rig, phone: Phone) -> None:
    phone.challenge()
    captured = phone.signed(CONTACT + ";expires=1")
    assert rig.answer(captured).status == 423
    forged = captured.replace(b";expires=1", b"").replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")
    assert rig.answer(forged).status == 401


def test_an_old_nonce_is_stale_and_the_next_one_works(rig: Rig, phone: Phone) -> None:
    phone.register(CONTACT)
    rig.clock.advance(NONCE_LIFETIME_SECONDS)
    response = rig.answer(phone.signed(CONTACT))
    assert "stale=true" in (response.headers.first("WWW-Authenticate") or "")
    phone.take_nonce(response)
    assert phone.register(CONTACT).status == 200


def test_wrong_secret_with_an_old_nonce_is_not_called_stale(rig: Rig) -> None:
    stranger = Phone(rig, secret="wrong")
    stranger.challenge()
    rig.clock.advance(NONCE_LIFETIME_SECONDS)
    assert "stale" not in (rig.answer(stranger.signed(CONTACT)).headers.first("WWW-Authenticate") or "")


def test_a_nonce_of_another_key_is_denied(rig: Rig, phone: Phone) -> None:
    phone.nonce = Nonces(b"other" * 8, rig.clock.seconds, lambda n: b"r" * n).issue()
    response = phone.register(CONTACT)
    assert response.status == 401
    assert "stale" not in (response.headers.first("WWW-Authenticate") or "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"qop=auth, ", b""),
        (b"nc=00000001", b"nc=1"),
        (b'cnonce="0a4f113b"', b'cnonce=""'),
        (b'realm="ex', b'realm="x'),
    ],
)
def test_credentials_that_are_not_enough_are_challenged_again(rig: Rig, phone: Phone, old: bytes, new: bytes) -> None:
    phone.challenge()
    assert rig.answer(phone.signed(CONTACT).replace(old, new)).status == 401
    assert rig.value("intercom_sipd_auth_total", outcome="challenge") == 2


def test_unreadable_credentials_are_400(rig: Rig, phone: Phone) -> None:
    phone.challenge()
    assert rig.answer(phone.signed(CONTACT).replace(b"qop=auth", b"qop=auth, qop=auth")).status == 400
    assert rig.value("intercom_sipd_malformed_total", reason="credentials") == 1


def test_nonces_survive_a_restart_with_the_same_key() -> None:
    now = [1000.0]
    nonce = Nonces(b"k" * 32, lambda: now[0], lambda n: b"r" * n).issue()
    restarted = Nonces(b"k" * 32, lambda: now[0], lambda n: b"s" * n)
    assert restarted.issued_at(nonce) == 1000.0
    for damaged in (nonce[:-2] + "AA", nonce[:-1], "é" * 44, "!" * 44, ""):
        assert restarted.issued_at(damaged) is None


def test_forgetting_a_used_nonce_makes_all_older_ones_stale() -> None:
    used = UsedNonces(lifetime_seconds=100, limit=2)
    for i, nonce in enumerate("abc"):
        used.use(NonceUse(nonce, 1, float(i)), 3.0)
    assert len(used) == 2
    assert not used.is_fresh(NonceUse("a", 1, 0.0), 3.0)
    assert not used.is_fresh(NonceUse("never used", 1, 0.0), 3.0)
    assert used.is_fresh(NonceUse("b", 2, 1.0), 3.0)
    assert not used.is_fresh(NonceUse("b", 1, 1.0), 3.0)


def test_used_nonces_leave_with_their_lifetime() -> None:
    used = UsedNonces(lifetime_seconds=100)
    used.use(NonceUse("a", 1, 0.0), 0.0)
    used.use(NonceUse("b", 1, 101.0), 101.0)
    assert len(used) == 1


def test_a_nonce_from_the_future_is_not_fresh() -> None:
    assert not UsedNonces().is_fresh(NonceUse("a", 1, 100.0), 50.0)
