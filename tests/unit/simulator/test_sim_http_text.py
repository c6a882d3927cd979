from __future__ import annotations

import pytest

from simulator.http_text import BODY_LIMIT_BYTES, HEAD_LIMIT_BYTES, HttpError, ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"


def read(*pieces: bytes, method: str = "GET"):
    """The answer of the pieces, the connection being closed after them."""
    reader = ResponseReader(method=method)
    for piece in pieces:
        if (response := reader.feed(piece)) is not None:
            return response
    return reader.end()


def test_content_length_in_single_bytes():
    data = OK + b'ETag: "a"\r\ncontent-length:  3 \r\n\r\nabc'
    response = read(*[data[i : i + 1] for i in range(len(data))])
    assert (response.status, response.body, response.headers["etag"]) == (200, b"abc", '"a"')


def test_body_until_close():
    assert read(OK + b"\r\nab", b"c").body == b"abc"


def test_304_has_no_body_whatever_its_length_says():
    assert read(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n").status == 304


def test_head_has_no_body():
    assert read(OK + b"Content-Length: 100\r\n\r\n", method="HEAD").body == b""


def test_interim_answers_are_passed_over():
    assert read(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx").body == b"x"


def test_chunks():
    data = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00A;name=x\r\n0123456789\r\n0\r\n\r\n"
    assert read(*[data[i : i + 1] for i in range(len(data))]).body == b"abc0123456789"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "truncated"),
        (OK, "truncated"),
        (OK + b"Content-Length: 4\r\n\r\nabc", "truncated"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab", "truncated"),
        (b"SSH-2.0-x\r\n\r\n", "malformed"),
        (OK + b"no colon\r\n\r\n", "malformed"),
        (OK + b" folded: x\r\n\r\n", "malformed"),
        (OK + b"Content-Length: -1\r\n\r\n", "malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabcd\r\n", "malformed"),
        (OK + b"Content-Length: 99999999999\r\n\r\n", "too-large"),
        (OK + b"A: " + b"a" * HEAD_LIMIT_BYTES, "too-large"),
        (OK + b"\r\n" + b"a" * (BODY_LIMIT_BYTES + 1), "too-large"),
    ],
)
def test_bad_answers_have_a_code(data, code):
    with pytest.raises(HttpError) as caught:
        read(data)
    assert caught.value.code == code
