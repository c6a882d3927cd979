"""Secrets at rest: AES-256-GCM under a key file, bound to the place where they are stored."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from intercom_core.model.errors import SuiteError

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


class SealError(SuiteError):
    """A sealed value does not open: wrong key file, or the value belongs elsewhere."""

    code = "seal"


class SealedBox:
    """Seals small secrets. `context` names the place (`device:0C11…:token`); it must be the same when opening."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Raises SealError when the key, the context or the bytes are not those of `seal`."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
            raise SealError("A stored secret has an unknown format.")
        try:
            return self._cipher.decrypt(nonce, body, context)
        except InvalidTag:
            raise SealError("A stored secret does not open with this installation's key file.") from None
