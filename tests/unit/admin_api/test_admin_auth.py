"""Throttle, hashing bound, policy table."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from fastapi import Request

from admin_api.auth import policy
from admin_api.auth.guard import address_of
from admin_api.auth.passwords import HASHING_AT_ONCE, WAITING_AT_ONCE, Passwords
from admin_api.auth.policy import GRANTS, Permission
from admin_api.auth.throttle import PER_LOGIN_AND_SOURCE, PER_SOURCE, REMEMBERED, WINDOW_SECONDS, LoginThrottle
from admin_api.errors import BusyError, ForbiddenError, ThrottledError
from intercom_core.model.account import Principal, Role

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Hand:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_login_is_throttled_for_one_source_only() -> None:
    throttle = LoginThrottle(Hand())
    for _ in range(PER_LOGIN_AND_SOURCE):
        throttle.charge("ryan", "192.0.2.1")
    with pytest.raises(ThrottledError) as refusal:
        throttle.charge("ryan", "192.0.2.1")
    assert refusal.value.retry_after_seconds == WINDOW_SECONDS + 1
    throttle.charge("ryan", "192.0.2.2")
    throttle.charge("mia", "192.0.2.1")


def test_a_source_that_sprays_many_logins_is_throttled() -> None:
    throttle = LoginThrottle(Hand())
    for n in range(PER_SOURCE):
        throttle.charge(f"user{n}", f"2001:db8::{n}")
    with pytest.raises(ThrottledError):
        throttle.charge("another", "2001:db8::ffff")
    throttle.charge("another", "2001:db8:0:1::1")


def test_success_gives_back_and_time_forgives() -> None:
    hand = Hand()
    throttle = LoginThrottle(hand)
    for _ in range(PER_SOURCE + 5):
        throttle.charge("ryan", "192.0.2.1")
        throttle.succeeded("ryan", "192.0.2.1")
    for _ in range(PER_LOGIN_AND_SOURCE):
        throttle.charge("ryan", "192.0.2.1")
    hand.now = WINDOW_SECONDS
    throttle.charge("ryan", "192.0.2.1")


def test_the_throttle_forgets_rather_than_grows() -> None:
    throttle = LoginThrottle(Hand())
    for n in range(REMEMBERED):
        throttle.charge("ryan", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(throttle._windows) == REMEMBERED


def test_passwords_verify_and_nobody_never_does() -> None:
    passwords = Passwords(CHEAP)
    stored = passwords.hash("correct horse")
    assert passwords.verify(stored, "correct horse")
    assert not passwords.verify(stored, "wrong horse")
    assert not passwords.verify(None, "correct horse")
    assert not passwords.verify("damaged", "correct horse")


class _Blocked(PasswordHasher):
    """Hashes only when released."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()
        self.inside = self.most = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.gate.wait(10)
        with self.lock:
            self.inside -= 1
        return True


def test_a_flood_of_logins_takes_only_its_share() -> None:
    hasher = _Blocked()
    passwords = Passwords(hasher)
    stored = passwords.hash("x")
    hasher.gate.clear()
    refused = threading.Event()

    def attempt(_n: int) -> bool:
        try:
            return passwords.verify(stored, "x")
        except BusyError:
            refused.set()
            return False

    total = HASHING_AT_ONCE + WAITING_AT_ONCE + 5
    with ThreadPoolExecutor(total) as threads:
        results = threads.map(attempt, range(total))
        assert refused.wait(10)
        hasher.gate.set()
        assert sum(results) >= HASHING_AT_ONCE + WAITING_AT_ONCE
    assert hasher.most <= HASHING_AT_ONCE
    assert passwords.verify(stored, "x")


def test_every_permission_is_granted_to_someone() -> None:
    assert set(GRANTS) == set(Permission)
    assert all(GRANTS.values())
    manager = Principal(1, "pm", Role.PROPERTY_MANAGER, "")
    policy.check(manager, Permission.OWN_ACCOUNT)
    with pytest.raises(ForbiddenError):
        policy.check(manager, Permission.EDIT_PROJECTS)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%" + "x" * 200, "fe80::1"),
        ("not an address", ""),
        ("", ""),
    ],
)
def test_an_address_is_told_in_one_form(host: str, address: str) -> None:
    assert address_of(Request({"type": "http", "client": (host, 5)})) == address


def test_an_unknown_peer_has_no_address() -> None:
    assert address_of(Request({"type": "http", "client": None})) == ""
