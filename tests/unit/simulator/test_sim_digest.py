"""Known answers of RFC 7616 §3.9.1 and RFC 2617 §3.5, and the choice of RFC 8760 §2.4."""

from __future__ import annotations

import pytest

from simulator.digest import Challenge, Credentials, choose, parse_challenge

RFC7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MUFASA = Credentials("Mufasa", "Circle of Life")


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc7616_answers(algorithm, response):
    challenge = parse_challenge(RFC7616.format(algorithm))
    assert challenge is not None
    assert MUFASA.response(challenge, "GET", "/dir/index.html", 1, CNONCE) == response


def test_rfc2617_answer():
    challenge = Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "MD5", "auth", None, False)
    response = Credentials("Mufasa", "Circle Of Life").response(challenge, "GET", "/dir/index.html", 1, "0a4f113b")
    assert response == "6629fae49393a05397450978507c4ef1"


def test_answer_to_a_server_without_qop():
    """RFC 2617 §3.2.2.1, the compatible form: the worked values are those of RFC 2069's erratum 749."""
    challenge = parse_challenge('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    assert challenge is not None
    response = Credentials("Mufasa", "CircleOfLife").response(challenge, "GET", "/dir/index.html", 1, "")
    assert response == "1949323746fe6a43ef61f9606e7febea"


def test_sha256_is_preferred_in_any_order():
    both = [RFC7616.format("MD5"), RFC7616.format("SHA-256")]
    assert choose(both).algorithm == choose(both[::-1]).algorithm == "SHA-256"
    assert choose([*both[:1], RFC7616.format("SHA-512-256")]).algorithm == "MD5"


@pytest.mark.parametrize(
    "header",
    [
        'Basic realm="x"',
        RFC7616.format("SHA-512-256"),
        'Digest realm="x", nonce="y", qop="auth-int"',
        'Digest realm="x"',
        "Digest",
        "",
    ],
)
def test_what_cannot_be_answered_is_no_challenge(header):
    assert parse_challenge(header) is None
    assert choose([header]) is None


def test_quoting_goes_both_ways():
    challenge = parse_challenge(r'digest realm="a \"b\" \\c", nonce="n,1", stale=TRUE, algorithm=sha-256')
    assert challenge == Challenge(r'a "b" \c', "n,1", "SHA-256", "", None, True)
    header = Credentials("u", "p").authorization(challenge, "REGISTER", "sip:x", 1, "c")
    assert r'realm="a \"b\" \\c", nonce="n,1"' in header
    assert "qop" not in header
    assert "opaque" not in header


def test_header_carries_the_nonce_count_in_eight_hex_digits():
    challenge = parse_challenge(RFC7616.format("SHA-256"))
    header = MUFASA.authorization(challenge, "GET", "/", 26, CNONCE)
    assert "qop=auth, nc=0000001a, " in header
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in header
