"""A UDP port that takes and sends many datagrams with one system call (recvmmsg, sendmmsg), where there are such."""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.error import MessageLengthError
from twisted.internet.udp import Port

Address = tuple[str, int]

BATCH = 64
ROUNDS = 4
DATAGRAM_BYTES = 65_536
ANSWER_BYTES = 2_048
ADDRESS_LIMIT = 65_536
_NAME_BYTES = 28  # of a sockaddr_in6
_NOT_NOW = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Header(ctypes.Structure):
    _fields_ = (("message", _Message), ("size", ctypes.c_uint32))


class _Ring:
    """`BATCH` datagrams of up to `room` bytes, as the kernel wants them."""

    def __init__(self, room: int, name_bytes: int) -> None:
        self._room = room
        self._data = ctypes.create_string_buffer(room * BATCH)
        self._names = ctypes.create_string_buffer(_NAME_BYTES * BATCH)
        self._vectors = (_Vector * BATCH)()
        self.headers = (_Header * BATCH)()
        for i in range(BATCH):
            self._vectors[i] = _Vector(ctypes.addressof(self._data) + i * room, room)
            self.headers[i].message = _Message(
                ctypes.addressof(self._names) + i * _NAME_BYTES,
                name_bytes,
                ctypes.addressof(self._vectors) + i * ctypes.sizeof(_Vector),
                1,
            )
        self.data = memoryview(self._data).cast("B")
        self.names = memoryview(self._names).cast("B")
        self.vector_words = memoryview(self._vectors).cast("B").cast("L")
        self.header_words = memoryview(self.headers).cast("B").cast("I")


_SIZE_WORD = _Header.size.offset // 4
_HEADER_WORDS = ctypes.sizeof(_Header) // 4
_VECTOR_WORDS = ctypes.sizeof(_Vector) // ctypes.sizeof(ctypes.c_size_t)


class BatchProtocol(Protocol):
    """What a BatchPort serves, beside DatagramProtocol.

    `take` gives an answer for the sender (empty: none now), or None: then `datagramReceived` gets the datagram.
    """

    def take(self, datagram: bytes, address: Address) -> bytes | None: ...

    def batch_ended(self) -> None: ...

    def not_sent(self, datagrams: int) -> None: ...


class BatchPort(Port):
    """Answers to the datagrams of a batch leave together, and so do those that are ready in one turn of the reactor."""

    protocol: Any
    reactor: Any
    socket: socket.socket

    def startListening(self) -> None:  # noqa: N802
        super().startListening()  # type: ignore[no-untyped-call]
        self._name_bytes = _NAME_BYTES if self.addressFamily == socket.AF_INET6 else 16
        self._addresses: dict[bytes, Address] = {}
        self._names: dict[Address, bytes] = {}
        self._answers: list[tuple[bytes, bytes]] = []
        self._collecting = False
        self._calls = _system_calls()
        if self._calls is not None:
            self._in = _Ring(DATAGRAM_BYTES, self._name_bytes)
            self._out = _Ring(ANSWER_BYTES, self._name_bytes)

    def doRead(self) -> None:  # noqa: N802
        if self._calls is None:
            self._read_plainly()
            return
        for _ in range(ROUNDS):
            count = self._calls[0](self.socket.fileno(), self._in.headers, BATCH, socket.MSG_DONTWAIT, None)
            if count <= 0:
                return
            self._serve(count)
            if count < BATCH:
                return

    def _read_plainly(self) -> None:
        for _ in range(BATCH):
            try:
                datagram, source = self.socket.recvfrom(DATAGRAM_BYTES)
            except OSError:
                break
            address = (source[0], source[1])
            answer = self.protocol.take(datagram, address)
            if answer is None:
                self.protocol.datagramReceived(datagram, address)
            elif answer:
                self._send_alone(answer, address)
        self.protocol.batch_ended()

    def _serve(self, count: int) -> None:
        data, names, words = self._in.data, self._in.names, self._in.header_words
        addresses, protocol = self._addresses, self.protocol
        take = protocol.take
        name_bytes = self._name_bytes
        answers = self._answers
        self._collecting = True
        for i in range(count):
            start = i * DATAGRAM_BYTES
            datagram = data[start : start + words[_SIZE_WORD + i * _HEADER_WORDS]].tobytes()
            start = i * _NAME_BYTES
            name = names[start : start + name_bytes].tobytes()
            address = addresses.get(name) or self._address(name)
            answer = take(datagram, address)
            if answer is None:
                protocol.datagramReceived(datagram, address)
            elif answer:
                answers.append((answer, name))
        self._flush()
        protocol.batch_ended()

    def answer(self, datagram: bytes, address: Address) -> None:
        """Send as soon as this turn is over. Only for addresses that something came from."""
        name = self._names.get(address)
        if self._calls is None or name is None:
            self.write(datagram, address)
            return
        self._answers.append((datagram, name))
        if not self._collecting:
            self._collecting = True
            self.reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        self._collecting = False
        answers, self._answers = self._answers, []
        for first in range(0, len(answers), BATCH):
            self._send(answers[first : first + BATCH])

    def _address(self, name: bytes) -> Address:
        if len(self._addresses) >= ADDRESS_LIMIT:
            self._addresses.clear()
            self._names.clear()
        port = int.from_bytes(name[2:4], "big")
        if self.addressFamily == socket.AF_INET6:
            scope = int.from_bytes(name[24:28], sys.byteorder)
            zone = f"%{socket.if_indextoname(scope)}" if scope else ""
            host = socket.inet_ntop(socket.AF_INET6, name[8:24]) + zone
        else:
            host = socket.inet_ntop(socket.AF_INET, name[4:8])
        address = self._addresses[name] = (host, port)
        self._names[address] = name
        return address

    def _send(self, answers: Sequence[tuple[bytes, bytes]]) -> None:
        """At most BATCH of them."""
        ring = self._out
        data, names, words = ring.data, ring.names, ring.vector_words
        name_bytes = self._name_bytes
        count = 0
        for answer, name in answers:
            size = len(answer)
            if size > ANSWER_BYTES:
                self._send_alone(answer, self._address(name))
                continue
            start = count * ANSWER_BYTES
            data[start : start + size] = answer
            words[count * _VECTOR_WORDS + 1] = size
            start = count * _NAME_BYTES
            names[start : start + name_bytes] = name
            count += 1
        self._send_ring(count)

    def _send_alone(self, answer: bytes, address: Address) -> None:
        try:
            self.write(answer, address)
        except (OSError, MessageLengthError):
            self.protocol.not_sent(1)

    def _send_ring(self, count: int) -> None:
        """What the kernel refuses is lost, as it may be anywhere on its way; the rest goes on behind it."""
        if self._calls is None:
            return
        first = lost = 0
        while first < count:
            left = ctypes.byref(self._out.headers, first * ctypes.sizeof(_Header))
            sent = self._calls[1](self.socket.fileno(), left, count - first, socket.MSG_DONTWAIT)
            if sent <= 0:
                full = ctypes.get_errno() in _NOT_NOW
                lost += count - first if full else 1
                first += count if full else 1
            else:
                first += sent
        if lost:
            self.protocol.not_sent(lost)

    def write(self, datagram: bytes, addr: Address | None = None) -> None:
        """As Port.write, for addresses that the kernel gave: they need no check."""
        if addr is None:
            raise ValueError("this port has no peer")
        try:
            self.socket.sendto(datagram, addr)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise MessageLengthError("message too long") from None
            if error.errno != errno.ECONNREFUSED:
                raise


_Call = Callable[..., int]


def _system_calls() -> tuple[_Call, _Call] | None:
    """recvmmsg and sendmmsg; None where there are none."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        receive, send = library.recvmmsg, library.sendmmsg
    except AttributeError:
        return None
    receive.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    return receive, send
