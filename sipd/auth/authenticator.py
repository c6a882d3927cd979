"""Is this request from who it says? One path for every answer but success, so that numbers can't be probed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter

from intercom_core.security.sip import Ha1
from sipd.auth.digest import Algorithm, challenges, digest_matches, find_credentials
from sipd.auth.nonce import Nonces, NonceUse, UsedNonces
from sipd.message.message import Request
from sipd.numbers.directory import Account, Directory


class Verdict(StrEnum):
    """CHALLENGE: no usable credentials. DENIED: unknown number, number without credentials, wrong secret, foreign
    nonce. STALE: right secret, but the nonce is old or its count was used. INACTIVE: right secret, account off."""

    OK = "ok"
    CHALLENGE = "challenge"
    DENIED = "denied"
    STALE = "stale"
    INACTIVE = "inactive"


class Identity(NamedTuple):
    """Result of a check; `account` and `use` are there when the verdict is OK."""

    verdict: Verdict
    account: Account | None = None
    use: NonceUse | None = None


class Authenticator:
    """`now` gives seconds since the epoch. Counts outcomes in `intercom_sipd_auth_total{outcome}`.

    Credentials with any known algorithm are taken; `offered` only says what challenges name, in that order. More than
    MD5 is for installations that know their clients: baresip 1.0 fails to register when any challenge names SHA-256,
    SIPp 3.6 when the first does (RFC 8760 §2.4 would have the best first).
    """

    def __init__(
        self,
        realm: str,
        directory: Directory,
        nonces: Nonces,
        used: UsedNonces,
        now: Callable[[], float],
        registry: CollectorRegistry,
        offered: Sequence[Algorithm] = (Algorithm.MD5,),
    ) -> None:
        self.realm = realm
        self._directory = directory
        self.nonces = nonces
        self.used = used
        self._now = now
        self._offered = offered
        # Nobody knows a secret for this: it makes unknown numbers cost what known ones cost.
        self._nobody = Ha1(os.urandom(16).hex(), os.urandom(32).hex())
        outcomes = Counter("intercom_sipd_auth", "Checks of credentials by outcome", ["outcome"], registry=registry)
        self._outcomes = {verdict: outcomes.labels(verdict) for verdict in Verdict}

    def count(self, verdict: Verdict, times: int) -> None:
        """For checks that were made elsewhere."""
        self._outcomes[verdict].inc(times)

    def check(self, request: Request) -> Identity:
        """With OK the nonce count is used up. Raises MalformedMessageError for unreadable credentials."""
        identity = self._check(request)
        self._outcomes[identity.verdict].inc()
        return identity

    def _check(self, request: Request) -> Identity:
        credentials = find_credentials(request.credentials(), self.realm)
        if credentials is None:
            return Identity(Verdict.CHALLENGE)
        account = self._directory.get(credentials.username)
        ha1 = account.ha1 if account is not None and account.ha1 is not None else self._nobody
        matches = digest_matches(credentials, ha1, request.method)
        issued_at = self.nonces.issued_at(credentials.nonce)
        if not matches or account is None or issued_at is None:
            return Identity(Verdict.DENIED)
        if not account.active:
            return Identity(Verdict.INACTIVE)
        now = self._now()
        use = NonceUse(credentials.nonce, credentials.count, issued_at)
        if not self.used.is_fresh(use, now):
            return Identity(Verdict.STALE)
        self.used.use(use, now)
        return Identity(Verdict.OK, account, use)

    def challenges(self, *, stale: bool) -> list[str]:
        """Values for WWW-Authenticate."""
        return challenges(self.realm, self.nonces.issue, self._offered, stale=stale)
