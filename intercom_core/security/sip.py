"""SIP credentials: random secrets and their HA1s (RFC 3261 §22.4, RFC 8760), and where they are sealed."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ha1:
    """Lower-case hex of H(user:realm:secret) for both algorithms."""

    md5: str
    sha256: str

    def pack(self) -> bytes:
        return f"{self.md5}:{self.sha256}".encode()

    @classmethod
    def unpack(cls, packed: bytes) -> Ha1:
        md5, _, sha256 = packed.decode().partition(":")
        return cls(md5, sha256)


def ha1(user: str, realm: str, secret: str) -> Ha1:
    text = f"{user}:{realm}:{secret}".encode()
    return Ha1(hashlib.md5(text, usedforsecurity=False).hexdigest(), hashlib.sha256(text).hexdigest())


def new_secret() -> str:
    """A SIP password of 144 random bits, in characters that every device's file and form accepts."""
    return secrets.token_urlsafe(18)


def new_url_token() -> str:
    """A device's secret URL part: 192 random bits, 32 characters."""
    return secrets.token_urlsafe(24)


def secret_context(number: str) -> bytes:
    """Where the password of a number is sealed to (`SipAccount.sealed_secret`)."""
    return f"sip-secret:{number}".encode()


def ha1_context(number: str) -> bytes:
    """Where the HA1s of a number are sealed to (`SipAccount.sealed_ha1`)."""
    return f"sip-ha1:{number}".encode()


def token_context(mac: str) -> bytes:
    """Where the URL token of a device is sealed to (`Device.sealed_token`)."""
    return f"device-token:{mac}".encode()
