"""Argon2id with a bound on how much of the machine hashing may take."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from admin_api.errors import BusyError

HASHING_AT_ONCE = 2
WAITING_AT_ONCE = 8


class Passwords:
    """Hashes and checks passwords. At most `HASHING_AT_ONCE` run (64 MiB each), `WAITING_AT_ONCE` more wait.

    Callers beyond that get BusyError at once, so a flood of logins can't take all the threads of the API.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self._admitted = threading.BoundedSemaphore(HASHING_AT_ONCE + WAITING_AT_ONCE)
        self._running = threading.BoundedSemaphore(HASHING_AT_ONCE)

    def hash(self, password: str) -> str:
        with self._slot():
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """`stored` None (no such account) costs as much as a wrong password."""
        with self._slot():
            try:
                return self._hasher.verify(stored or self._nobody, password) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise BusyError("Too many logins at this moment. Try again in a few seconds.")
        try:
            with self._running:
                yield
        finally:
            self._admitted.release()


def generate() -> str:
    """A random password of 96 bits to be told once."""
    return secrets.token_urlsafe(12)
