"""Datagrams in batches, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol

from sipd.transport import batch
from sipd.transport.batch import ANSWER_BYTES, BATCH, Address, BatchPort


class Echo(DatagramProtocol):
    """Answers `short` at once, the rest the long way; ends when `count` came."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done: Deferred[None] = Deferred()
        self.sources: set[Address] = set()
        self.lost = 0

    def take(self, datagram: bytes, address: Address) -> bytes | None:
        if not datagram.startswith(b"short"):
            return None
        self._came(address)
        return datagram

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self._came(addr)
        transport: Any = self.transport
        transport.answer(datagram, addr)

    def _came(self, address: Address) -> None:
        self.sources.add(address)
        self.left -= 1

    def batch_ended(self) -> None:
        if not self.left:
            self.done.callback(None)

    def not_sent(self, datagrams: int) -> None:
        self.lost += datagrams


@pytest.fixture(params=["127.0.0.1", "::1"])
def phone(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        try:
            opened.bind((request.param, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        opened.settimeout(10)
        yield opened


@pytest.mark.parametrize("plain", [False, True])
@pytest_twisted.ensureDeferred
async def test_each_datagram_gets_its_answer(
    phone: socket.socket, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    if plain:
        monkeypatch.setattr(batch, "_system_calls", lambda: None)
    sent = [b"%s %d" % (b"short" if number % 3 else b"long", number) for number in range(BATCH * 2 + 3)]
    sent += [b"short" + bytes(ANSWER_BYTES), b"long" + bytes(ANSWER_BYTES), b""]
    echo = Echo(len(sent))
    port: Any = BatchPort(0, echo, phone.getsockname()[0], 65_536, reactor)
    port.startListening()
    for datagram in sent:
        phone.sendto(datagram, (phone.getsockname()[0], port.getHost().port))
    await echo.done
    received = [phone.recv(65_536) for _ in sent]
    await port.stopListening()
    assert sorted(received) == sorted(sent)
    assert echo.sources == {phone.getsockname()[:2]}
    assert echo.lost == 0
