"""Digest nonces without state, and the record of those that were used (RFC 7616 §3.3, §5.4).

A nonce is base64url(time of issue | random | MAC): any process with the key can check it, also after a restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

NONCE_LIFETIME_SECONDS = 600
USED_LIMIT = 2_000_000

_TIME_BYTES = 8
_RANDOM_BYTES = 8
_MAC_BYTES = 16
_TEXT_LENGTH = 44  # of 32 bytes in padded base64
_MICROSECONDS = 1_000_000


@dataclass(slots=True)
class NonceUse:
    """What must not happen a second time. `issued_at` in seconds since the epoch."""

    nonce: str
    count: int
    issued_at: float


class Nonces:
    """`key` is secret and kept across restarts; `now` gives seconds since the epoch; `random` n random bytes."""

    def __init__(self, key: bytes, now: Callable[[], float], random: Callable[[int], bytes]) -> None:
        self._key = hashlib.blake2b(key, digest_size=32, person=b"sip-nonce").digest()
        self._now = now
        self._random = random

    def issue(self) -> str:
        stamp = int(self._now() * _MICROSECONDS).to_bytes(_TIME_BYTES, "big") + self._random(_RANDOM_BYTES)
        return base64.urlsafe_b64encode(stamp + self._mac(stamp)).decode()

    def issued_at(self, nonce: str) -> float | None:
        """When `nonce` was issued, in seconds since the epoch; None when it is none of ours."""
        if len(nonce) != _TEXT_LENGTH or not nonce.isascii():
            return None
        try:
            raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        stamp, mac = raw[: _TIME_BYTES + _RANDOM_BYTES], raw[_TIME_BYTES + _RANDOM_BYTES :]
        if not hmac.compare_digest(mac, self._mac(stamp)):
            return None
        return int.from_bytes(stamp[:_TIME_BYTES], "big") / _MICROSECONDS

    def _mac(self, stamp: bytes) -> bytes:
        return hashlib.blake2b(stamp, key=self._key, digest_size=_MAC_BYTES).digest()


class UsedNonce:
    """`count` is the highest nonce count that was taken with it."""

    __slots__ = ("count", "issued_at")

    def __init__(self, issued_at: float) -> None:
        self.count = 0
        self.issued_at = issued_at


class UsedNonces:
    """The highest nonce count seen with each nonce. Only valid credentials are entered, so strangers can't fill it.

    Bounded: when an entry has to go, every nonce issued up to its time counts as stale from then on. So a nonce
    count is never taken twice.
    """

    def __init__(self, lifetime_seconds: float = NONCE_LIFETIME_SECONDS, limit: int = USED_LIMIT) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._limit = limit
        self._used: dict[str, UsedNonce] = {}
        self._by_age: list[tuple[float, str]] = []
        self._floor = float("-inf")

    def __len__(self) -> int:
        return len(self._used)

    def get(self, nonce: str) -> UsedNonce | None:
        """What is remembered of `nonce`; it was checked to be ours when it was entered."""
        return self._used.get(nonce)

    def is_alive(self, issued_at: float, now: float) -> bool:
        """May a nonce of that time still be used?"""
        return issued_at > self._floor and -1.0 <= now - issued_at < self._lifetime_seconds

    def is_fresh(self, use: NonceUse, now: float) -> bool:
        """May this still be used?"""
        if not self.is_alive(use.issued_at, now):
            return False
        used = self._used.get(use.nonce)
        return use.count > (used.count if used is not None else 0)

    def use(self, use: NonceUse, now: float) -> None:
        nonce, count, issued_at = use.nonce, use.count, use.issued_at
        used = self._used.get(nonce)
        if used is None:
            used = self._used[nonce] = UsedNonce(issued_at)
            heappush(self._by_age, (issued_at, nonce))
        used.count = max(count, used.count)
        while self._by_age and (self._by_age[0][0] <= now - self._lifetime_seconds or len(self._used) > self._limit):
            oldest, gone = heappop(self._by_age)
            self._floor = max(self._floor, oldest)
            del self._used[gone]
