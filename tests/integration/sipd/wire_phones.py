"""Many phones on one blocking socket: for tests that end the server they talk to."""

from __future__ import annotations

import hashlib
import re
import select
import socket
from collections.abc import Iterator

_NUMBER = re.compile(rb"^To: <sip:([0-9]+)@", re.MULTILINE)
_NONCE = re.compile(r'nonce="([^"]+)"')


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


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
        lines = [
            "REGISTER sip:127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK{number}{self._cseq}",
            f"From: <sip:{number}@127.0.0.1>;tag=1",
            f"To: <sip:{number}@127.0.0.1>",
            f"Call-ID: {number}",
            f"CSeq: {self._cseq} REGISTER",
            f"Contact: <sip:{number}@127.0.0.1:9>",
            "Expires: 600",
        ]
        nonce = self.nonces.pop(number, None)
        if nonce is not None:
            ha1, ha2 = _md5(f"{number}:{self._realm}:{self._secret}"), _md5("REGISTER:sip:x")
            response = _md5(f"{ha1}:{nonce}:00000001:c:auth:{ha2}")
            lines.append(
                f'Authorization: Digest username="{number}", realm="{self._realm}", nonce="{nonce}", uri="sip:x", '
                f'response="{response}", cnonce="c", qop=auth, nc=00000001'
            )
        self._socket.send(("\r\n".join(lines) + "\r\n\r\n").encode())

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
                found = _NONCE.search(data.decode())
                assert found
                self.nonces[number[1].decode()] = found[1]
            elif status == 200:
                self.acknowledged.add(number[1].decode())
            yield status
