"""Digest access authentication for requests, MD5 and SHA-256, qop=auth (RFC 3261 §22, RFC 7616, RFC 8760)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from intercom_core.security.sip import Ha1
from sipd.message.grammar import quote

_NONCE_COUNT = re.compile(r"[0-9A-Fa-f]{8}")


class Algorithm(StrEnum):
    """As written in challenges."""

    MD5 = "MD5"
    SHA256 = "SHA-256"


_BY_NAME = {algorithm.lower(): algorithm for algorithm in Algorithm}


@dataclass(slots=True)
class Credentials:
    """What a client claims. `count` is the nonce count as a number, `nc` as written."""

    algorithm: Algorithm
    username: str
    nonce: str
    uri: str
    response: str
    cnonce: str
    nc: str
    count: int


def find_credentials(offered: list[Mapping[str, str]], realm: str) -> Credentials | None:
    """The first set for our realm with an algorithm and qop that we offer, None when there is none."""
    for params in offered:
        algorithm = _BY_NAME.get(params.get("algorithm", "md5").lower())
        nc = params.get("nc", "")
        if params.get("realm") != realm or algorithm is None or params.get("qop", "").lower() != "auth":
            continue
        if not _NONCE_COUNT.fullmatch(nc) or not all(
            params.get(name) for name in ("username", "nonce", "uri", "cnonce")
        ):
            continue
        return Credentials(
            algorithm,
            params["username"],
            params["nonce"],
            params["uri"],
            params.get("response", "").lower(),
            params["cnonce"],
            nc,
            int(nc, 16),
        )
    return None


def digest_matches(credentials: Credentials, ha1: Ha1, method: str) -> bool:
    """Compare in constant time. `ha1` holds lower-case hex for both algorithms."""
    expected = expected_response(credentials, ha1, method)
    return hmac.compare_digest(expected.encode(), credentials.response.encode("utf-8", "surrogateescape"))


def expected_response(credentials: Credentials, ha1: Ha1, method: str) -> str:
    """RFC 7616 §3.4.1 with qop=auth."""
    sha256 = credentials.algorithm is Algorithm.SHA256
    hash_hex = _sha256 if sha256 else _md5
    secret = ha1.sha256 if sha256 else ha1.md5
    ha2 = hash_hex(f"{method}:{credentials.uri}")
    return hash_hex(f"{secret}:{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:auth:{ha2}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def challenges(realm: str, issue: Callable[[], str], offered: Sequence[Algorithm], *, stale: bool) -> list[str]:
    """Values of WWW-Authenticate, one for each algorithm of `offered`."""
    flag = ", stale=true" if stale else ""
    nonce = issue()
    return [
        f'Digest realm={quote(realm)}, nonce="{nonce}", qop="auth", algorithm={algorithm}{flag}'
        for algorithm in offered
    ]
