"""Sealed secrets, key files, and logs without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError

from intercom_core.security.box import SealedBox, SealError
from intercom_core.security.keys import KeyFileError, KeyName, create_missing_keys, load_key
from intercom_core.security.sip import Ha1, ha1
from intercom_core.store.engine import Store, open_engine
from intercom_core.telemetry import log
from intercom_core.telemetry.redaction import scrub_text


def test_a_sealed_secret_opens_only_in_its_place_and_with_its_key() -> None:
    box = SealedBox(b"k" * 32)
    sealed = box.seal(b"secret", b"sip-secret:1")
    assert box.open(sealed, b"sip-secret:1") == b"secret"
    assert sealed != box.seal(b"secret", b"sip-secret:1")
    for opener, context, value in [
        (box, b"sip-secret:2", sealed),
        (SealedBox(b"x" * 32), b"sip-secret:1", sealed),
        (box, b"sip-secret:1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (box, b"sip-secret:1", b""),
        (box, b"sip-secret:1", b"\x02" + sealed[1:]),
    ]:
        with pytest.raises(SealError):
            opener.open(value, context)


def test_key_files_are_private_distinct_and_never_replaced(tmp_path: Path) -> None:
    create_missing_keys(tmp_path)
    first = {name: load_key(tmp_path, name) for name in KeyName}
    create_missing_keys(tmp_path)
    assert {name: load_key(tmp_path, name) for name in KeyName} == first
    assert len(set(first.values())) == len(KeyName)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "keys").iterdir())


def test_a_damaged_key_file_is_told(tmp_path: Path) -> None:
    create_missing_keys(tmp_path)
    (tmp_path / "keys" / "sip.key").write_bytes(b"c2hvcnQ=\n")
    with pytest.raises(KeyFileError, match=r"sip\.key"):
        load_key(tmp_path, KeyName.SIP)


def test_ha1_of_the_rfc_example() -> None:
    # RFC 7616 §3.9.1
    found = ha1("Mufasa", "http-auth@example.org", "Circle of Life")
    assert found.md5 == "3d78807defe7de2157e2b0b6573a855f"
    assert found.sha256 == "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
    assert Ha1.unpack(found.pack()) == found


@pytest.mark.parametrize(
    "text",
    [
        "GET /d/HIDDENhiddenHIDDENhiddenHIDDEN12/0C11050B9814.cfg",
        "Config.Account1.GENERAL.Pwd = HIDDENhiddenHIDDEN",
        'Digest username="1", nonce="HIDDEN", response="HIDDEN"',
        "Authorization: Bearer HIDDEN",
        "postgresql://suite:HIDDEN@db/suite",
        '{"login": "ryan", "password": "HIDDEN \\" HIDDEN"}',
        "{'sip_secret': 'HIDDEN', 'token':'HIDDEN'}",
    ],
)
def test_texts_with_secrets_are_masked(text: str) -> None:
    assert "HIDDEN" not in scrub_text(text)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    log.configure("test", stream=stream, as_json=True)
    yield stream
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_no_way_into_the_log_carries_a_secret(written: io.StringIO) -> None:
    logger = log.get("test")
    logger.info("event", password="HIDDEN", sip={"secret": "HIDDEN", "number": "592"}, url="/d/HIDDENHIDDENHIDDEN/x")
    logging.getLogger("library").warning("Bearer %s", "HIDDEN")
    try:
        raise ValueError("Config.Account1.GENERAL.Pwd = HIDDEN")
    except ValueError:
        logger.exception("failed")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert lines[0]["event"] == "event"
    assert lines[0]["sip"]["number"] == "592"
    assert len(lines) == 3
    assert "ValueError" in lines[2]["exception"]
    assert "HIDDEN" not in written.getvalue()


def test_errors_of_the_database_do_not_tell_values(tmp_path: Path) -> None:
    store = Store(open_engine(f"sqlite:///{tmp_path / 'suite.db'}"))
    with store.write() as session:
        session.execute(sql("CREATE TABLE holder (secret TEXT UNIQUE)"))
    with pytest.raises(IntegrityError) as caught, store.write() as session:
        session.execute(sql("INSERT INTO holder VALUES (:one), (:one)"), {"one": "HIDDEN"})
    store.close()
    assert "INSERT INTO holder" in str(caught.value)
    assert "HIDDEN" not in str(caught.value)
