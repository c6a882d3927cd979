"""SIP as a device writes it, and many phones on one blocking socket for tests that kill the server they talk to."""

from __future__ import annotations

import hashlib
import re
import select
import socket
from collections.abc import Iterator

_NUMBER = re.compile(rb"^To: <sip:([0-9]+)@", re.MULTILINE)
_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")
_NONCE = re.compile(r'nonce="([^"]+)"')


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def register_text(
    number: str, cseq: int, realm: str, secret: str, nonce: str, expires: int, transport: str = "UDP"
) -> bytes:
    """A REGISTER whose Contact leads nowhere, with credentials when `nonce` is not empty."""
    lines = [
        "REGISTER sip:127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/{transport} 127.0.0.1:9;rport;branch=z9hG4bK{number}{cseq}",
        f"From: <sip:{number}@127.0.0.1>;tag=1",
        f"To: <sip:{number}@127.0.0.1>",
        f"Call-ID: {number}",
        f"CSeq: {cseq} REGISTER",
        f"Contact: <sip:{number}@192.0.2.99:5060>",
        f"Expires: {expires}",
        "Content-Length: 0",
    ]
    if nonce:
        ha1, ha2 = _md5(f"{number}:{realm}:{secret}"), _md5("REGISTER:sip:x")
        response = _md5(f"{ha1}:{nonce}:00000001:c:auth:{ha2}")
        lines.append(
            f'Authorization: Digest username="{number}", realm="{realm}", nonce="{nonce}", uri="sip:x", '
            f'response="{response}", cnonce="c", qop=auth, nc=00000001'
        )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def nonce_of(challenge: str) -> str:
    found = _NONCE.search(challenge)
    assert found, challenge
    return found[1]


def answer_to(request: str, status: int) -> bytes:
    """A response as a device writes it."""
    copied = [line for line in request.split("\r\n") if line.partition(":")[0] in _COPIED]
    return ("\r\n".join([f"SIP/2.0 {status} x", *copied]) + "\r\nContent-Length: 0\r\n\r\n").encode()


class WirePhones:
    """All with one secret. `acknowledged` are the numbers whose REGISTER got a 200."""

    def __init__(self, port: int, realm: str, secret: str) -> None:
        self._realm = realm
        self._secret = secret
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self._cseq = 0
        self.nonces: dict[str, str] = {}
        self.acknowledged: set[str] = set()

    def close(self) -> None:
        self._socket.close()

    def register(self, number: str) -> None:
        """Sends one REGISTER, with credentials when there is a nonce for `number`."""
        self._cseq += 1
        nonce = self.nonces.pop(number, "")
        self._socket.send(register_text(number, self._cseq, self._realm, self._secret, nonce, 600))

    def read(self, timeout_seconds: float) -> Iterator[int]:
        """Takes answers until none comes for `timeout_seconds`; yields their status."""
        while select.select([self._socket], [], [], timeout_seconds)[0]:
            try:
                data = self._socket.recv(65535)
            except ConnectionRefusedError:
                continue
            status, number = int(data[8:11]), _NUMBER.search(data)
            assert number
            if status == 401:
                self.nonces[number[1].decode()] = nonce_of(data.decode())
            elif status == 200:
                self.acknowledged.add(number[1].decode())
            yield status
