"""Coverage-guided fuzzing of the SIP parser. For any bytes:

* parsing and every typed accessor give a value or MalformedMessageError, nothing else;
* what was read and is written means the same when it is read again, and is written again byte for byte;
* the answer to a request is well formed.

`python -m bench.fuzz_sip [inputs] [seed]` from the root of the repository uses one core. It needs
`pip install atheris`, as nothing else does. Seeds are the torture messages of the conformance tests. A finding is
printed with its input and ends the run with a status other than 0.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

INPUTS = 200_000
INPUT_LIMIT_BYTES = 2048
PROGRESS_INPUTS = 100_000
WORKER = "--worker"

_WORDS = (
    *rb"""
SIP/2.0 REGISTER INVITE sip: sips: tel: Via: From: To: Call-ID: CSeq: Contact: Expires: Content-Length: Authorization:
Require: v: f: t: i: m: l: k: ;tag= ;branch=z9hG4bK ;rport ;received= ;expires= ;lr ;+sip.instance= :0 <sip: > \" \\
%00 %4 [::1] [2001:db8::1] ::: * Digest nc= UDP ; , ? @ =
""".split(),
    *(b"\r\n", b"\r\n ", b"\r\n\r\n", b"\t", b"\xff", b"\xd0\xb4", b"\0"),
)


def main() -> int:
    if importlib.util.find_spec("atheris") is None:
        print("not run: atheris is missing (pip install atheris)")
        return 0
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    inputs, seed = (*numbers, *(INPUTS, 1)[len(numbers) :])
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder, "words")
        words.write_text("".join(map(_dictionary_line, _WORDS)))
        seeds = _write_seeds(Path(folder, "seeds"))
        options = [f"-runs={inputs}", f"-seed={seed}", f"-dict={words}", f"-max_len={INPUT_LIMIT_BYTES}", "-timeout=5"]
        # One change at a time to messages of full length: most changes break a message, and what is broken is refused.
        options += ["-mutate_depth=1", "-reduce_inputs=0", "-verbosity=0", "-print_final_stats=1"]
        # The fuzzer ends its process itself, so it gets one of its own.
        command = [sys.executable, "-m", "bench.fuzz_sip", WORKER, *options, f"-artifact_prefix={folder}/", str(seeds)]
        status = subprocess.run(command, check=False).returncode
        for finding in Path(folder).glob("*-*"):
            print(f"{finding.name}: {finding.read_bytes()!r}")
        return status


def _dictionary_line(word: bytes) -> str:
    escaped = "".join(f"\\x{byte:02x}" for byte in word)
    return f'"{escaped}"\n'


def _write_seeds(folder: Path) -> Path:
    from tests.conformance.sip.torture_messages import CASES

    folder.mkdir()
    for case in CASES:
        Path(folder, case.section).write_bytes(case.data)
    return folder


def _work(options: list[str]) -> None:
    import atheris

    def mutate(data: bytes, limit: int, seed: int) -> bytes:
        """Mostly one line of the message, so that what surrounds it still reaches the code behind the first checks."""
        if seed % 4 == 0:
            return bytes(atheris.Mutate(data, limit))
        lines = data.split(b"\r\n")
        line = seed // 4 % len(lines)
        lines[line] = bytes(atheris.Mutate(lines[line], max(limit - len(data) + len(lines[line]), 1)))
        return b"\r\n".join(lines)

    with atheris.instrument_imports(include=["sipd.message"]):
        import sipd.message.parser
        import sipd.message.replies  # noqa: F401
    verdicts: Counter[bool] = Counter()

    def judge(data: bytes) -> None:
        verdicts[check(data)] += 1
        if verdicts.total() % PROGRESS_INPUTS == 0:
            print(f"{verdicts.total()} inputs, {verdicts[True]} of them read as messages", flush=True)

    atheris.Setup([sys.argv[0], *options], judge, custom_mutator=mutate)
    atheris.Fuzz()


def check(data: bytes) -> bool:
    """Whether `data` is a message. Fails when it breaks a promise of the parser."""
    from sipd.message.errors import MalformedMessageError
    from sipd.message.message import Request
    from sipd.message.parser import parse
    from sipd.message.replies import reply

    try:
        message = parse(data)
    except MalformedMessageError:
        return False
    meaning = _meaning(message)
    written = message.to_bytes()
    again = _parse_again(written)
    if again is not None:
        assert _meaning(again) == meaning, "the meaning changed on the way"
        assert again.to_bytes() == written, "writing is not stable"
    if isinstance(message, Request):
        answer = _parse_again(reply(message, 200, "ours").to_bytes())
        assert answer is None or answer.to.tag == message.to.params.get("tag", "ours"), "the answer has another tag"
    return True


def _parse_again(data: bytes) -> Any:
    """None when the written form is beyond a limit that its compact form was within."""
    from sipd.message.errors import MalformedMessageError, Reason
    from sipd.message.parser import parse

    try:
        return parse(data)
    except MalformedMessageError as error:
        if error.reason in (Reason.TOO_LARGE, Reason.TOO_MANY_HEADERS, Reason.HEADER_TOO_LONG):
            return None
        raise


def _meaning(message: Any) -> dict[str, Any]:
    """What each accessor says: a value, or why there is none."""
    from sipd.message.fields import parse_address, parse_addresses, parse_via
    from sipd.message.grammar import split_outside_quotes
    from sipd.message.message import Request
    from sipd.message.uri import SipUri, parse_uri

    headers = message.headers
    meaning = {
        "addresses": [message.to, message.from_],
        "cseq": str(message.cseq),
        "call-id": message.call_id,
        "body": message.body,
        "top via": message.via,
        "vias": _said(lambda: [parse_via(text) for text in split_outside_quotes(",".join(headers.all("Via")), ",")]),
        "route": _said(lambda: parse_addresses(headers.all("Route"))),
    }
    assert parse_via(str(message.via)) == message.via, "a Via is not read as it is written"
    if isinstance(message, Request):
        meaning["contacts"] = _said(lambda: message.contacts)
        meaning["credentials"] = _said(message.credentials)
        meaning["rest"] = (message.expires_seconds, message.is_wildcard, message.option_tags("Require"))
        meaning["uri"] = message.uri
        assert parse_uri(str(message.uri)) == message.uri, "a URI is not read as it is written"
    contacts = meaning.get("contacts")
    for address in [message.to, message.from_, *(contacts if isinstance(contacts, list) else [])]:
        assert parse_address(str(address)) == address, "an address is not read as it is written"
        assert not isinstance(address.uri, SipUri) or address.uri.same_as(address.uri), "a URI differs from itself"
    return meaning


def _said(read: Callable[[], Any]) -> Any:
    from sipd.message.errors import MalformedMessageError

    try:
        return read()
    except MalformedMessageError as error:
        return error.reason


if __name__ == "__main__":
    if WORKER in sys.argv:
        _work(sys.argv[sys.argv.index(WORKER) + 1 :])
    sys.exit(main())
