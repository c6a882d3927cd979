"""One message of our own for each point of RFC 4475 (torture tests) and RFC 5118 (the same for IPv6).

`data` carries the point; `outcome` is what sipd does with it: a status, `SILENCE`, or `KEPT` for a response that reads
well. `reason` says why the parser or an accessor refuses; None: it reads it. docs/protocol/torture.md is the
same list for people.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipd.message.errors import Reason

SILENCE = "silence"
KEPT = "kept"

NUMBER = "5926100061"


@dataclass(frozen=True, slots=True)
class Case:
    section: str
    data: bytes
    outcome: int | str
    reason: Reason | None = None


def message(start: str, *headers: str, body: str | bytes = "", **replaced: str) -> bytes:
    """`replaced` are the usual fields by name (`call_id`), "" to leave one out."""
    fields = {
        "via": "SIP/2.0/UDP 192.0.2.21:5062;rport;branch=z9hG4bKgate1",
        "from": "<sip:gate@north.example.org>;tag=n1",
        "to": f"<sip:{NUMBER}@example.org>",
        "call_id": "tower-b.1@192.0.2.21",
        "cseq": f"31 {start.partition(' ')[0]}",
    } | replaced
    lines = [start, *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body if isinstance(body, bytes) else body.encode())


def invite(*headers: str, uri: str = "sip:flat12@example.org", body: str = "", **replaced: str) -> bytes:
    return message(f"INVITE {uri} SIP/2.0", "Contact: <sip:gate@192.0.2.21>", *headers, body=body, **replaced)


def options(*headers: str, uri: str = "sip:flat12@example.org", body: str = "", **replaced: str) -> bytes:
    return message(f"OPTIONS {uri} SIP/2.0", *headers, body=body, **replaced)


def register(*headers: str, uri: str = "sip:example.org", body: str = "", **replaced: str) -> bytes:
    return message(f"REGISTER {uri} SIP/2.0", *headers, body=body, **replaced)


def response(start: str, *headers: str, cseq: str = "31 OPTIONS", **replaced: str) -> bytes:
    return message(start, *headers, cseq=cseq, **replaced)


SDP = "v=0\r\no=gate 1 1 IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n"

TORTUOUS = (
    b"INVITE sip:flat12@door.example.org;colour SIP/2.0\r\n"
    b"TO :\r\n sip:flat12@door.example.org ;   tag\t= 7\r\n"
    b'fRoM   : "The \\\\ \\"north\\" gate"       <sip:gate@example.org>\r\n  ;\r\n  tag = 3e\r\n'
    b"mAx-FORWARDS: 0042\r\nI: tortuous.1@192.0.2.21\r\nContent-Length   : 5\r\n"
    b"CSEQ: 0017\r\n  INVITE\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.21 : 5062 ;branch=oldstyle\r\ns :\r\n"
    b"UnheardOfField:   first\r\n\tsecond\r\nAnotherOne;;,,;;,;\r\n"
    b"v:  SIP  / 2.0  / TCP     relay.example.org   ;\r\n  branch  =   z9hG4bKone  "
    b",\r\n SIP  /    2.0   / UDP  198.51.100.4   ; branch=\r\n z9hG4bKtwo\r\n"
    b"Route:\r\n <sip:relay.example.org;colour=blue;lr;tone = 1>\r\n"
    b'm:"Door \\"\\"" <sip:gate@192.0.2.21> ; fresh =\r\n value ;\r\n  flag ; q = 0.3\r\n\r\nhello'
).replace(b"AnotherOne;;,,;;,;\r\n", b"AnotherOne: ;;,,;;,;\r\n")

CHARACTERS_METHOD = "~Ring-Bell_2.0*+`%1x'!"
CHARACTERS_URI = "sip:flat_12.B~(or!the)&cellar's+door=$/open?,/;;*:-key=1,pin*2$_(3)@door.example.org"
LONG = "corridor" * 120

VALID = (
    Case("3.1.1.1", TORTUOUS, 405),
    Case(
        "3.1.1.2",
        message(
            f"{CHARACTERS_METHOD} {CHARACTERS_URI} SIP/2.0",
            "extension-Field.!%*+_`'~: Дверь 東 \x01",
            to='"bell:\\\x07 nul:\\\x00 del:\\\x7f" <sip:flat_12.B@door.example.org>',
            call_id="a.!%*_+`'~-()<>:\\\"/[]?{}@b.!%*_+`'~-()<>:\\\"/[]?{}",
            **{"from": "do~or1`  +g'ate_* %!.- <sip:gate@example.org>;fld~'`+*_.!-%=\"Подъезд\";tag=~_'1"},
        ),
        501,
    ),
    Case(
        "3.1.1.3",
        invite(
            "m: <sip:g%61te@192.0.2.21;%6C%72;n%61me=v%61lue%25%34%31>",
            uri="sip:sip%3Aflat%40north.example.org@example.org",
            to="<sip:%66l%61t12@example.org>",
        ),
        405,
    ),
    Case(
        "3.1.1.4",
        register("Contact: <sip:%00@192.0.2.21>, <sip:%00%00@192.0.2.21>", to="sip:door-%00-key@example.org"),
        401,
    ),
    Case(
        "3.1.1.5",
        message("RE%47ISTE%52 sip:example.org SIP/2.0", 'Contact: "%Q%45" <sip:%45@192.0.2.21>, <sip:b@192.0.2.21>'),
        501,
    ),
    Case("3.1.1.6", options(**{"from": "gate<sip:gate@example.org>;tag=1"}), 404),
    Case(
        "3.1.1.7",
        invite(
            f"Unknown-{LONG}: {LONG} {LONG}",
            *(f"v: SIP/2.0/TCP relay{hop}.example.org" for hop in range(30)),
            f"m: <sip:{LONG}@[2001:db8::1]:5070;{LONG}={LONG}?{LONG}=%41>;{LONG}=1",
            via=f"SIP/2.0/UDP 192.0.2.21;rport;branch=z9hG4bK{LONG}",
            to=f'"{LONG}" <sip:{LONG}@example.org:5070;p{LONG}>;tag={LONG}',
            call_id=LONG,
        ),
        405,
    ),
    Case(
        "3.1.1.8", register("l: 0", body="INVITE sip:flat12@example.org SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1\r\n"), 401
    ),
    Case("3.1.1.9", options(uri="sip:flat12;floor=3%40east@example.org"), 404),
    Case(
        "3.1.1.10",
        options(
            "v: SIP/2.0/SCTP 192.0.2.8, SIP/2.0/TLS [2001:db8::8]:5061",
            "v: SIP/2.0/WSS h.invalid, SIP/2.0/TCP r.org",
            via="SIP/2.0/PIGEON 192.0.2.21;rport;branch=z9hG4bKx",
        ),
        404,
    ),
    Case(
        "3.1.1.11",
        message(
            "MESSAGE sip:flat12@example.org SIP/2.0",
            'c: multipart/mixed;boundary="--cut \\" here"',
            "l: 63",
            body=b"----cut\r\nContent-Type: text/plain\r\n\r\nding\r\n\r\n----cut\r\n\r\n\x00\xff\xfe\r\n\r\n",
        ),
        405,
    ),
    Case("3.1.1.12", response("SIP/2.0 200 = 2**3 * 5**2 а дверь 東 открыта"), KEPT),
    Case("3.1.1.13", response("SIP/2.0 100 "), KEPT),
)

INVALID = (
    Case(
        "3.1.2.1", invite("m: <sip:gate@192.0.2.21>;;;;", via="SIP/2.0/UDP 192.0.2.21;;,;,,"), SILENCE, Reason.PARAMETER
    ),
    Case("3.1.2.2", invite("l: 9999", body="v=0\r\n"), 400, Reason.CONTENT_LENGTH),
    Case("3.1.2.3", invite("l: -999", body="v=0\r\n"), 400, Reason.CONTENT_LENGTH),
    Case(
        "3.1.2.4",
        register("Max-Forwards: 300", f"Expires: {10**40}", cseq=f"{2**65} REGISTER"),
        400,
        Reason.CSEQ,
    ),
    Case(
        "3.1.2.5",
        response("SIP/2.0 503 Busy", f"Retry-After: {10**30}", 'Warning: 1812 h "w"', cseq=f"{2**70} OPTIONS"),
        SILENCE,
        Reason.CSEQ,
    ),
    Case("3.1.2.6", invite(to='"North Gate <sip:gate@example.org>'), 400, Reason.ADDRESS),
    Case("3.1.2.7", invite(uri="<sip:flat12@example.org>"), 400, Reason.START_LINE),
    Case("3.1.2.8", invite(uri="sip:flat12@example.org; lr"), 400, Reason.START_LINE),
    Case("3.1.2.9", message("INVITE  sip:flat12@example.org  SIP/2.0"), 400, Reason.START_LINE),
    Case("3.1.2.10", message("OPTIONS sip:flat12@example.org SIP/2.0  "), 400, Reason.START_LINE),
    Case("3.1.2.11", invite(uri="sip:flat12@example.org?Route=%3Csip:thief.example.net%3E"), 400, Reason.URI),
    Case("3.1.2.12", options("Date: Sun, 22 Nov 2026 16:00:00 MSK"), 404),
    Case("3.1.2.13", register("m: sip:gate@192.0.2.21?Route=%3Csip:relay.org%3E"), 401, Reason.ADDRESS),
    Case("3.1.2.14", options(to='"Gate, North" < sip:gate@example.org >'), 400, Reason.URI),
    Case("3.1.2.15", options(**{"from": "Gate, North <sip:gate@example.org>;tag=1"}), 400, Reason.ADDRESS),
    Case("3.1.2.16", message("OPTIONS sip:flat12@example.org SIP/7.0"), 505, Reason.VERSION),
    Case("3.1.2.17", options(cseq="31 INVITE"), 400, Reason.CSEQ),
    Case("3.1.2.18", message("OPENDOOR sip:flat12@example.org SIP/2.0", cseq="31 INVITE"), 400, Reason.CSEQ),
    Case("3.1.2.19", response("SIP/2.0 4294967301 wrapped around"), SILENCE, Reason.START_LINE),
)

LAYERS = (
    Case("3.2.1", options(via="SIP/2.0/UDP 192.0.2.21;rport;branch=z9hG4bK"), 404),
    Case(
        "3.3.1",
        message("INVITE sip:flat12@example.org SIP/2.0", call_id="", to="", **{"from": ""}),
        SILENCE,
        Reason.MISSING_HEADER,
    ),
    Case("3.3.2", options(uri="knockknock:whoisthere"), 416),
    Case("3.3.3", options(uri="soap.beep://192.0.2.103:3002"), 416),
    Case(
        "3.3.4", register("m: <name:North_Gate>", to="isbn:2983792873", **{"from": "<http://example.org/a>;tag=1"}), 416
    ),
    Case("3.3.5", options("Require: opens-doors, flies", "Proxy-Require: swims"), 404),
    Case("3.3.6", invite("c: application/doorplan", body="<doors/>"), 405),
    Case("3.3.7", register("Authorization: KnockTwice rhythm=slow"), 401),
    Case(
        "3.3.8",
        invite(
            "i: other@192.0.2.1", "CSeq: 59 INVITE", "f: <sip:b@b.org>;tag=2", "t: <sip:c@c.org>", "Max-Forwards: 5"
        ),
        400,
        Reason.DUPLICATE_HEADER,
    ),
    Case("3.3.9", options("l: 4", "l: 1", body="door"), 400, Reason.DUPLICATE_HEADER),
    Case("3.3.10", response("SIP/2.0 200 OK", "v: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKa"), KEPT),
    Case("3.3.11", options("Max-Forwards: 0"), 404),
    Case("3.3.12", register("m: sip:gate@192.0.2.21;unheardof"), 401),
    Case("3.3.13", register("m: <sip:gate@192.0.2.21;unheardof>"), 401),
    Case("3.3.14", register("m: <sip:gate@192.0.2.21?Route=%3Csip:relay.example.org%3E>"), 401),
    Case("3.3.15", invite("Accept: text/knocking"), 405),
    Case(
        "3.4.1",
        invite(
            "Record-Route: <sip:gate@example.org;maddr=relay.example.org>",
            via="SIP/2.0/UDP old.example.org",
            to="sip:+15925550100@example.org;user=phone",
            **{"from": "<sip:+15925550101@example.org;user=phone>"},
        ),
        405,
    ),
)

IPV6_VIA = "SIP/2.0/UDP [2001:db8::9:1];rport;branch=z9hG4bKv6"
IPV6 = (
    Case("5118-4.1", register("m: <sip:gate@[2001:db8::1]>", uri="sip:[2001:db8::10]", via=IPV6_VIA), 401),
    Case("5118-4.2", register("m: <sip:gate@[2001:db8::1]>", uri="sip:2001:db8::10", via=IPV6_VIA), 400, Reason.URI),
    Case("5118-4.3", register(uri="sip:[2001:db8::10:5070]", via=IPV6_VIA), 401),
    Case("5118-4.4", register(uri="sip:[2001:db8::10]:5070", via=IPV6_VIA), 401),
    Case("5118-4.5", options(via=f"{IPV6_VIA};received=[2001:db8::9:255]"), 404),
    Case("5118-4.5-bare", options(via=f"{IPV6_VIA};received=2001:db8::9:255"), 404),
    Case(
        "5118-4.6", invite("c: application/sdp", via=IPV6_VIA, body=SDP.format(kind="IP6", address="2001:db8::20")), 405
    ),
    Case("5118-4.7", options("v: SIP/2.0/TCP [2001:db8::a:1];received=192.0.2.1", "v: SIP/2.0/UDP 192.0.2.254"), 404),
    Case(
        "5118-4.8",
        invite(
            body=SDP.format(kind="IP6", address="2001:db8::20") + "m=video 9002 RTP/AVP 31\r\nc=IN IP4 192.0.2.1\r\n"
        ),
        405,
    ),
    Case("5118-4.9", options("m: <sip:gate@[::ffff:192.0.2.1]>", via="SIP/2.0/UDP [::ffff:192.0.2.2];rport"), 404),
    Case("5118-4.10", options("m: <sip:gate@[2001:db8::192.0.2.1]>, <sip:gate@[2001:db8:::192.0.2.1]>"), 404),
)

CASES = VALID + INVALID + LAYERS + IPV6
