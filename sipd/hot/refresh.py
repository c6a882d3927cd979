"""The short way for a REGISTER that equals an accepted one of the same device outside six values (docs/adr/0010).

It only ever says yes, or asks for credentials: whatever is not exactly as expected takes the long way, which decides.
So there is one place for each rule, and none for exceptions.
"""

from __future__ import annotations

import hashlib
import os
import re
from binascii import Error as HexError
from binascii import unhexlify
from collections.abc import Callable
from dataclasses import dataclass, replace
from hmac import compare_digest

from intercom_core.telemetry import log
from sipd.auth.authenticator import Authenticator, Verdict
from sipd.auth.digest import Algorithm, find_credentials
from sipd.auth.nonce import Nonces, NonceUse, UsedNonces
from sipd.hot.template import Extra, Fields, Shape, Shapes
from sipd.location.binding import Binding, Bindings
from sipd.location.commit import Commits, NoCommit
from sipd.location.journal import Change
from sipd.location.location import Location, Record
from sipd.message.fields import CSEQ_LIMIT, MAGIC_COOKIE
from sipd.message.message import Request
from sipd.message.parser import parse
from sipd.message.replies import reply
from sipd.numbers.directory import Account, Directory
from sipd.transaction.server import Key, ServerTransactions
from sipd.transaction.timing import Clock
from sipd.transport.flow import Flow
from sipd.transport.udp import unmapped

Address = tuple[str, int]
Send = Callable[[bytes], None]

LATER = b""
"""Taken; what there is to send goes another way."""

EXTRA_LIMIT = 65_536
ORDER_LIMIT = 4_096
RETRY_AFTER = [("Retry-After", "5")]

_NAMES = (b"\r\nCall-ID: ", b"\r\ni: ", b"\r\ncall-id: ")
_BRANCH = re.compile(rb"[A-Za-z0-9.!%*_+`'~-]+")
_CNONCE = re.compile(rb"[A-Za-z0-9+/=._-]+")
_VARYING = re.compile(rb";tag=([0-9a-f]{16})\r\nCall-ID: .*;expires=([0-9]+)\r\nContent-Length: 0\r\n\r\n", re.DOTALL)
_OK = b"SIP/2.0 200 "

_log = log.get("sipd.hot")


@dataclass(slots=True, eq=False)
class Device:
    """What is known of the sender of one Call-ID. `binding` is the only one of `record`, which is that of its number.

    `secret` and `ha2` are the outer parts of what is hashed; `key` is the transaction's, less the branch. `busy`: its
    last REGISTER waits for the disk.
    """

    shape: Shape
    statics: bytes
    extra: Extra
    address: Address
    send: Send
    account: Account
    record: Record
    bindings: Bindings
    binding: Binding
    hash: Callable[[bytes], hashlib._Hash]
    secret: bytes
    ha2: bytes
    sent_by: tuple[str, int | None]
    busy: bool = False


class HotPath:
    """`send(data, address)` is for what can't be answered in the same turn. `counted(status, times)` counts answers;
    `refreshed(number)` is told what the registrar tells, too."""

    def __init__(
        self,
        clock: Clock,
        authenticator: Authenticator,
        directory: Directory,
        location: Location,
        commits: Commits,
        servers: ServerTransactions,
        counted: Callable[[int, int], None],
        refreshed: Callable[[str], None],
        shapes: Shapes | None = None,
    ) -> None:
        self._clock = clock
        self._seconds = clock.seconds
        self._authenticator = authenticator
        self._nonces: Nonces = authenticator.nonces
        self._used: UsedNonces = authenticator.used
        self._directory = directory
        self._location = location
        self._commits = commits
        self._durable = not isinstance(commits, NoCommit)
        self._servers = servers
        self._counted = counted
        self._refreshed = refreshed
        self._shapes = shapes or Shapes()
        self._devices: dict[bytes, Device] = {}
        self._extras: dict[tuple[Address, bytes], Extra] = {}
        self._ha2: dict[tuple[Algorithm, str], bytes] = {}
        self._orders: set[tuple[str, ...]] = set()
        self._tag = os.urandom(8).hex().encode()
        self._authenticated = self._accepted = self._challenged = 0
        location.forgotten = self._forget

    def __len__(self) -> int:
        return len(self._devices)

    def settle(self) -> None:
        """Count what was answered since the last time: once for a batch, not for each."""
        if self._authenticated:
            self._authenticator.count(Verdict.OK, self._authenticated)
        if self._accepted:
            self._counted(200, self._accepted)
        if self._challenged:
            self._authenticator.count(Verdict.CHALLENGE, self._challenged)
            self._counted(401, self._challenged)
        self._authenticated = self._accepted = self._challenged = 0

    def take(self, datagram: bytes, address: Address) -> bytes | None:
        """The answer to its sender, or LATER; None when this is not for the short way, and nothing was done."""
        start = -1
        for name in _NAMES:
            start = datagram.find(name)
            if start >= 0:
                start += len(name)
                break
        device = self._devices.get(datagram[start : datagram.find(b"\r\n", start)])
        if device is None or device.address != address:
            return None
        shape = device.shape
        fields = shape.refresh(datagram)
        if fields is None:
            fields = shape.without_credentials(datagram)
            return None if fields is None else self._challenge(device, shape, fields)
        if b"".join(shape.statics(fields)) != device.statics:
            return None
        return self._refresh(device, shape, fields, datagram)

    def _refresh(self, device: Device, shape: Shape, fields: Fields, datagram: bytes) -> bytes | None:
        branch, cseq, nonce_bytes, nc, response, cnonce = shape.slots(fields)
        if not ((branch.isalnum() or _BRANCH.fullmatch(branch)) and cseq.isdigit()):
            return None
        key = (MAGIC_COOKIE + branch.decode(), *device.sent_by, "REGISTER")
        if self._servers.absorb(key):
            return LATER
        now = self._seconds()
        if not self._is_current(device, int(cseq), now) or not _proves(device, nonce_bytes, nc, response, cnonce):
            return None
        use = self._use(nonce_bytes, nc, now)
        if use is None:
            return None
        device.binding.refresh(int(cseq), now, now + int(device.extra[3]))
        self._authenticated += 1
        answer = shape.answer % shape.answer_parts((*fields, *device.extra))
        if self._durable:
            self._store(device, use, key, answer, datagram)
            return LATER
        self._servers.begin(key, device.send).sent(answer)
        self._accepted += 1
        self._refreshed(device.account.number)
        return answer

    def _is_current(self, device: Device, cseq: int, now: float) -> bool:
        """Is everything as it was when the last one was accepted?"""
        return (
            not device.busy
            and device.record.bindings is device.bindings
            and self._directory.get(device.account.number) is device.account
            and device.binding.expires_at > now
            and device.binding.cseq < cseq < CSEQ_LIMIT
        )

    def _use(self, nonce_bytes: bytes, nc: bytes, now: float) -> NonceUse | None:
        """The nonce count is used up then. None when it was before, or the nonce is not good any more, or not ours."""
        try:
            nonce, count = nonce_bytes.decode(), int.from_bytes(unhexlify(nc), "big")
        except (HexError, UnicodeDecodeError):
            return None
        used = self._used.get(nonce)
        issued_at = self._nonces.issued_at(nonce) if used is None else used.issued_at
        if issued_at is None or not self._used.is_alive(issued_at, now) or count <= (used.count if used else 0):
            return None
        use = NonceUse(nonce, count, issued_at)
        if used is None:
            self._used.use(use, now)
        else:
            used.count = count
        return use

    def _store(self, device: Device, use: NonceUse, key: Key, answer: bytes, datagram: bytes) -> None:
        """The answer waits for the disk."""
        device.busy = True
        transaction = self._servers.begin(key, device.send)

        def committed(stored: bool) -> None:
            device.busy = False
            if stored:
                transaction.respond(answer)
                if not self._accepted:
                    self._clock.callLater(0, self.settle)
                self._accepted += 1
                self._refreshed(device.account.number)
            else:
                self._counted(503, 1)
                transaction.respond(_unavailable(datagram, device.address, self._tag.decode()))

        self._commits.add(Change(device.account.number, device.bindings, use), committed)

    def _challenge(self, device: Device, shape: Shape, fields: Fields) -> bytes | None:
        """A REGISTER that may be anybody's: nothing is kept of it."""
        statics = b"".join(shape.challenge_statics(fields))
        branch, cseq = shape.challenge_slots(fields)
        if (
            device.statics[: shape.open_width] != statics
            or not (branch.isalnum() or _BRANCH.fullmatch(branch))
            or not cseq.isdigit()
            or int(cseq) >= CSEQ_LIMIT
        ):
            return None
        if self._servers.absorb((MAGIC_COOKIE + branch.decode(), *device.sent_by, "REGISTER")):
            return LATER
        self._challenged += 1
        lines = [f"WWW-Authenticate: {value}\r\n" for value in self._authenticator.challenges(stale=False)]
        head = shape.challenge % shape.challenge_parts((*fields, *device.extra))
        return head + "".join(lines).encode() + b"Content-Length: 0\r\n\r\n"

    def watch(self, datagram: bytes, request: Request, flow: Flow, send: Send) -> Send:
        """A `send` that learns from a 200 to `request`, whose bytes `datagram` holds."""
        if request.method != "REGISTER" or "Authorization" not in request.headers:
            return send

        def learning(data: bytes) -> None:
            send(data)
            if data.startswith(_OK):
                try:
                    self._learn(datagram, request, flow, send, data)
                except Exception:
                    _log.exception("not_learned", source=flow.address)

        return learning

    def _learn(self, datagram: bytes, request: Request, flow: Flow, send: Send, answer: bytes) -> None:
        """Keeps the device only when the short way would have sent the very same answer. Nothing is tried for an order
        of header fields that comes for the first time: most that come once never come again."""
        if self._revive(request, flow):
            return
        order = tuple(name for name, _ in request.headers.items())
        if order not in self._orders:
            if len(self._orders) >= ORDER_LIMIT:
                self._orders.clear()
            self._orders.add(order)
            return
        credentials = find_credentials(request.credentials(), self._authenticator.realm)
        record = self._location.record(credentials.username) if credentials else None
        account = self._directory.get(credentials.username) if credentials else None
        if credentials is None or record is None or account is None or account.ha1 is None or not account.active:
            return
        binding = record.bindings[0]
        if (
            len(record.bindings) > 1
            or (binding.flow, binding.call_id, binding.cseq) != (flow, request.call_id, request.cseq.number)
            or binding.mark != account.mark
        ):
            return
        shape, varying = self._shapes.of(datagram), _VARYING.search(answer)
        fields = shape.refresh(datagram) if shape is not None else None
        if shape is None or fields is None or varying is None:
            return
        extra = self._extra((flow.host, flow.port), varying[2])
        same = shape.answer % shape.answer_parts((*fields, *extra[:2], varying[1], varying[2]))
        branch, cseq, nonce, nc, response, cnonce = (value.decode("latin-1") for value in shape.slots(fields))
        claimed = (MAGIC_COOKIE + branch, int(cseq), nonce, nc, response, cnonce)
        via = request.via
        if same != answer or claimed != (
            via.branch, binding.cseq, credentials.nonce, credentials.nc, credentials.response, credentials.cnonce
        ):  # fmt: skip
            return
        sha256 = credentials.algorithm is Algorithm.SHA256
        device = Device(
            shape,
            b"".join(shape.statics(fields)),
            extra,
            (flow.host, flow.port),
            send,
            account,
            record,
            record.bindings,
            binding,
            hashlib.sha256 if sha256 else _md5,
            (account.ha1.sha256 if sha256 else account.ha1.md5).encode(),
            self._hashed_uri(credentials.algorithm, credentials.uri),
            (via.host, via.port),
        )
        call_id = request.call_id.encode("utf-8", "surrogateescape")
        if record.learned is not None and record.learned != call_id:
            self._devices.pop(record.learned, None)
        known = self._devices.get(call_id)
        if known is not None and known.record is not record:
            known.record.learned = None
        record.learned = call_id
        self._devices[call_id] = device

    def _revive(self, request: Request, flow: Flow) -> bool:
        """A known device sent something else, to the same end: its template stays good."""
        device = self._devices.get(request.call_id.encode("utf-8", "surrogateescape"))
        if device is None or device.busy or len(device.record.bindings) != 1:
            return False
        (new,), old = device.record.bindings, device.binding
        if new.flow != flow or self._directory.get(device.account.number) is not device.account:
            return False
        if replace(old, cseq=new.cseq, registered_at=new.registered_at, expires_at=new.expires_at) != new:
            return False
        device.bindings, device.binding = device.record.bindings, new
        return True

    def _forget(self, call_id: bytes) -> None:
        self._devices.pop(call_id, None)

    def _extra(self, address: Address, seconds: bytes) -> Extra:
        """Shared by all devices behind one address."""
        extra = self._extras.get((address, seconds))
        if extra is None:
            if len(self._extras) >= EXTRA_LIMIT:
                self._extras.clear()
            host, port = address
            extra = self._extras[address, seconds] = (str(port).encode(), unmapped(host).encode(), self._tag, seconds)
        return extra

    def _hashed_uri(self, algorithm: Algorithm, uri: str) -> bytes:
        hashed = self._ha2.get((algorithm, uri))
        if hashed is None:
            if len(self._ha2) >= EXTRA_LIMIT:
                self._ha2.clear()
            text = f"REGISTER:{uri}".encode("utf-8", "surrogateescape")
            digest = hashlib.sha256(text) if algorithm is Algorithm.SHA256 else _md5(text)
            hashed = self._ha2[algorithm, uri] = digest.hexdigest().encode()
        return hashed


def _proves(device: Device, nonce: bytes, nc: bytes, response: bytes, cnonce: bytes) -> bool:
    """Does the sender know the secret?"""
    if not (cnonce.isalnum() or _CNONCE.fullmatch(cnonce)):
        return False
    expected = device.hash(b"%b:%b:%b:%b:auth:%b" % (device.secret, nonce, nc, cnonce, device.ha2))
    return compare_digest(expected.hexdigest().encode(), response)


def _md5(data: bytes) -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)


def _unavailable(datagram: bytes, address: Address, tag: str) -> bytes:
    request = parse(datagram)
    if not isinstance(request, Request):
        raise TypeError("a template is that of a request")
    request.via = request.via.stamped(unmapped(address[0]), address[1])
    response = reply(request, 503, tag)
    for name, value in RETRY_AFTER:
        response.headers.add(name, value)
    return response.to_bytes()
