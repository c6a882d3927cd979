"""Digest answers of a client: RFC 7616, with RFC 8760's rules for SIP."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

# In the order of preference. RFC 8760 §2.3: the client takes the first that it supports; a device prefers the stronger.
_ALGORITHMS = ("SHA-256", "MD5")
_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s,"]+)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A `WWW-Authenticate: Digest` that this client can answer. `qop` is "auth", or "" when none was offered."""

    realm: str
    nonce: str
    algorithm: str
    qop: str
    opaque: str | None
    stale: bool


def parse_challenge(header: str) -> Challenge | None:
    """The challenge of one header value; None when the scheme, algorithm or qop is not ours."""
    scheme, _, rest = header.strip().partition(" ")
    values = {name.lower(): _unquote(value) for name, value in _PARAMETER.findall(rest)}
    algorithm = values.get("algorithm", "MD5").upper()
    offered = [token.strip() for token in values.get("qop", "").split(",") if token.strip()]
    known = scheme.lower() == "digest" and algorithm in _ALGORITHMS and "realm" in values and "nonce" in values
    if not known or (offered and "auth" not in offered):
        return None
    return Challenge(
        realm=values["realm"],
        nonce=values["nonce"],
        algorithm=algorithm,
        qop="auth" if offered else "",
        opaque=values.get("opaque"),
        stale=values.get("stale", "").lower() == "true",
    )


def choose(headers: Iterable[str]) -> Challenge | None:
    """The strongest challenge of an answer, or None when none can be answered."""
    known = [challenge for challenge in map(parse_challenge, headers) if challenge is not None]
    return min(known, key=lambda challenge: _ALGORITHMS.index(challenge.algorithm), default=None)


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    secret: str

    def response(self, challenge: Challenge, method: str, uri: str, count: int, cnonce: str) -> str:
        """The `response` value (RFC 7616 §3.4.1); `count` is the nonce count, from 1."""
        ha1 = _hash(challenge, f"{self.user}:{challenge.realm}:{self.secret}")
        ha2 = _hash(challenge, f"{method}:{uri}")
        if not challenge.qop:
            return _hash(challenge, f"{ha1}:{challenge.nonce}:{ha2}")
        return _hash(challenge, f"{ha1}:{challenge.nonce}:{count:08x}:{cnonce}:{challenge.qop}:{ha2}")

    def authorization(self, challenge: Challenge, method: str, uri: str, count: int, cnonce: str) -> str:
        """The value of an Authorization header."""
        parts = [
            f"username={_quote(self.user)}",
            f"realm={_quote(challenge.realm)}",
            f"nonce={_quote(challenge.nonce)}",
            f"uri={_quote(uri)}",
            f'response="{self.response(challenge, method, uri, count, cnonce)}"',
            f"algorithm={challenge.algorithm}",
        ]
        if challenge.qop:
            parts += [f"qop={challenge.qop}", f"nc={count:08x}", f"cnonce={_quote(cnonce)}"]
        if challenge.opaque is not None:
            parts.append(f"opaque={_quote(challenge.opaque)}")
        return "Digest " + ", ".join(parts)


def _hash(challenge: Challenge, text: str) -> str:
    name = {"SHA-256": "sha256", "MD5": "md5"}[challenge.algorithm]
    return hashlib.new(name, text.encode("utf-8"), usedforsecurity=False).hexdigest()


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
