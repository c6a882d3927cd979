"""Messages on a connection (RFC 3261 §18.3, RFC 5626 §4.4.1)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipd.message.errors import Reason
from sipd.message.parser import MESSAGE_LIMIT_BYTES
from sipd.transport.stream import BrokenStreamError, Frame, KeepAlive, StreamFramer

PING = KeepAlive.PING


def message(body: bytes = b"", length: bytes | None = None, name: bytes = b"Content-Length") -> bytes:
    said = str(len(body)).encode() if length is None else length
    return b"OPTIONS sip:x SIP/2.0\r\nCall-ID: 1\r\n" + name + b": " + said + b"\r\n\r\n" + body


def frames(*segments: bytes) -> list[Frame]:
    framer = StreamFramer()
    return [frame for segment in segments for frame in framer.feed(segment)]


def broken(data: bytes) -> BrokenStreamError:
    with pytest.raises(BrokenStreamError) as caught:
        frames(data)
    return caught.value


def test_messages_back_to_back() -> None:
    first, second = message(b"a\r\n\r\nb"), message(name=b"l")
    assert frames(first + second) == [first, second]
    assert frames(first[:-1]) == []


def test_a_body_may_look_like_a_message() -> None:
    outer = message(message(b"inner"))
    assert frames(outer + message()) == [outer, message()]


@pytest.mark.parametrize("length", [b"4", b" 4 ", b"\t4", b"\r\n 4"], ids=["plain", "blanks", "tab", "folded"])
def test_content_length_as_the_grammar_allows_it(length: bytes) -> None:
    data = message(b"body", length)
    assert frames(data + message()) == [data, message()]


def test_keep_alives_between_messages() -> None:
    assert frames(b"\r\n\r\n") == [PING]
    assert frames(b"\r\n") == []
    assert frames(b"\r\n" * 5 + message()) == [PING, PING, message()]
    # The one left over belongs to the message that followed it, not to the next ping.
    assert frames(b"\r\n" + message() + b"\r\n" + message()) == [message(), message()]


pieces = st.lists(
    st.one_of(st.binary(max_size=200).map(message), st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"])),
    max_size=8,
)


@settings(max_examples=300)
@given(pieces, st.lists(st.integers(0, 4000), max_size=30))
def test_any_cutting_gives_the_same(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    segments = [data[start:end] for start, end in pairwise(borders)]
    whole = frames(data)
    assert frames(*segments) == whole
    assert frames(*(data[i : i + 1] for i in range(len(data)))) == whole
    assert [frame for frame in whole if frame is not PING] == [part for part in parts if part.strip(b"\r\n")]


@settings(max_examples=300)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_garbage_is_cut_the_same_or_refused_the_same(data: bytes, cut: int) -> None:
    def verdict(*segments: bytes) -> object:
        try:
            return frames(*segments)
        except BrokenStreamError as error:
            return error.reason

    assert verdict(data) == verdict(data[:cut], data[cut:])


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (b"-1", Reason.CONTENT_LENGTH),
        (b"+1", Reason.CONTENT_LENGTH),
        (b"", Reason.CONTENT_LENGTH),
        (b"1 1", Reason.CONTENT_LENGTH),
        (b"0x10", Reason.CONTENT_LENGTH),
        (b"65536", Reason.TOO_LARGE),
        (b"4294967296", Reason.TOO_LARGE),
        (b"9" * 4000, Reason.TOO_LARGE),
        (b"0\r\nl: 0", Reason.DUPLICATE_HEADER),
        (b"0\r\ncontent-length : 5", Reason.DUPLICATE_HEADER),
    ],
)
def test_lengths_that_end_the_connection(length: bytes, reason: Reason) -> None:
    data = message(length=length)
    error = broken(data + message())
    assert (error.reason, error.head) == (reason, data)


def test_without_content_length_the_end_is_unknown() -> None:
    data = message(name=b"X-Content-Length")
    assert (broken(data).reason, broken(data).head) == (Reason.CONTENT_LENGTH, data)


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"\0\0\0\0", b"\n", b"\rA", b" OPTIONS", b"\r\n\r\n{"])
def test_what_begins_like_no_message(data: bytes) -> None:
    assert (broken(data).reason, broken(data).head) == (Reason.START_LINE, b"")


def test_the_largest_message_and_one_byte_more() -> None:
    room = MESSAGE_LIMIT_BYTES - len(message(b"x" * 60_000)) + 60_000
    assert frames(message(b"x" * room)) == [message(b"x" * room)]
    assert broken(message(b"x" * (room + 1))).reason is Reason.TOO_LARGE


def test_a_header_without_end() -> None:
    lines = [b"X: " + b"y" * 1000 + b"\r\n"] * (MESSAGE_LIMIT_BYTES // 1005)
    assert frames(*lines) == []
    with pytest.raises(BrokenStreamError) as caught:
        frames(*lines, lines[0])
    assert (caught.value.reason, caught.value.head) == (Reason.TOO_LARGE, b"")
