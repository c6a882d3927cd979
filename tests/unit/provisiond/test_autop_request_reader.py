from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from provisiond.autop.answers import Refusal
from provisiond.autop.request_reader import HEAD_LIMIT, Request, RequestReader

STREAM = (
    b'GET /one.cfg HTTP/1.1\r\nHost: x\r\nIf-None-Match: "a"\r\nIf-None-Match: "b"\r\n\r\n'
    b"HEAD /two HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    b"\r\nGET /three HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
REQUESTS = [
    Request(b"GET", b"/one.cfg", b'"a","b"', close=False),
    Request(b"HEAD", b"/two", b"", close=False, old_version=True),
    Request(b"GET", b"/three", b"", close=True),
]


def read(*pieces: bytes) -> list[Request]:
    reader = RequestReader()
    for piece in pieces:
        reader.feed(piece)
        if any(request.refusal for request in reader.requests):
            break
    return list(reader.requests)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read(*(STREAM[a:b] for a, b in itertools.pairwise(edges) if a < b)) == REQUESTS


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=20))
def test_garbage_is_a_refusal_and_never_an_error(pieces: list[bytes]) -> None:
    requests = read(*pieces)
    assert all(request.refusal is None for request in requests[:-1])


@given(st.integers(1, 4096))
def test_a_request_without_end_is_refused_in_time(step: int) -> None:
    reader = RequestReader()
    fed = 0
    for piece in (b"GET / HTTP/1.1\r\n", *(b"X: " + b"y" * step + b"\r\n",) * (2 * HEAD_LIMIT // step + 1)):
        reader.feed(piece)
        fed += len(piece)
        if reader.requests:
            break
    assert [request.refusal for request in reader.requests] == [Refusal.HEADERS_TOO_LARGE]
    assert fed <= HEAD_LIMIT + step + 5


def test_empty_lines_before_a_request_are_not_for_ever() -> None:
    reader = RequestReader()
    for _ in range(HEAD_LIMIT // 2 + 1):
        reader.feed(b"\r\n")
    assert [request.refusal for request in reader.requests] == [Refusal.HEADERS_TOO_LARGE]


def test_it_knows_whether_it_is_inside_a_request() -> None:
    reader = RequestReader()
    reader.feed(b"GET /three HTTP/1.1\r\n\r\nGET /fo")
    assert reader.in_request
    reader.feed(b"ur HTTP/1.1\r\n\r\n")
    assert not reader.in_request
    assert reader.requests[-1] == Request(b"GET", b"/four", b"", close=False)


def test_an_upgrade_is_answered_as_if_it_had_not_been_asked_for() -> None:
    upgrade = b"GET /one.cfg HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n"
    assert read(upgrade) == [Request(b"GET", b"/one.cfg", b"", close=True)]
