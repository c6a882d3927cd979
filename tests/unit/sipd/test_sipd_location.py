"""Bindings in memory and in the journal."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from sipd_rig import NUMBER, SECRET, Phone, Rig, account
from twisted.internet.task import Clock

from intercom_core.model.numbers import NumberKind
from sipd.auth.nonce import NONCE_LIFETIME_SECONDS, NonceUse
from sipd.location.binding import Binding, pack
from sipd.location.journal import Change, SqliteJournal
from sipd.location.location import Location
from sipd.numbers.directory import Directory
from sipd.transport.flow import Flow


def binding(contact: str = "sip:a@h", expires_at: float = 100.0) -> Binding:
    return Binding(
        Flow("udp", "2001:db8::1", 5060), contact, expires_at, 1.0, "c", 7, "UA é", "0.5", "<urn:x>", 1, "<sip:p;lr>"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sipd" / "location.db"


def reopened(path: Path, journal: SqliteJournal) -> SqliteJournal:
    journal.close()
    return SqliteJournal(path)


def test_the_newest_row_of_a_number_is_its_state(path: Path) -> None:
    journal = SqliteJournal(path)
    journal.append([Change("1", (binding("sip:a@h"),)), Change("2", (binding(),))])
    journal.append([Change("1", (binding("sip:b@h"), binding("sip:c@h"))), Change("2", ())])
    journal = reopened(path, journal)
    assert journal.load(50.0).bindings == {"1": (binding("sip:b@h"), binding("sip:c@h"))}
    journal.close()


def test_what_ran_out_is_not_loaded(path: Path) -> None:
    journal = SqliteJournal(path)
    journal.append([Change("1", (binding("sip:a@h", 100.0), binding("sip:b@h", 200.0))), Change("2", (binding(),))])
    assert journal.load(150.0).bindings == {"1": (binding("sip:b@h", 200.0),)}
    journal.close()


def test_a_group_is_stored_whole_or_not_at_all(path: Path) -> None:
    journal = SqliteJournal(path)
    unstorable = Change("2", (), NonceUse(cast("str", b"no text"), 1, 1.0))
    with pytest.raises(TypeError):
        journal.append([Change("1", (binding(),)), unstorable])
    assert journal.load(0.0).bindings == {}
    journal.append([Change("1", (binding(),))])
    assert journal.load(0.0).bindings.keys() == {"1"}
    journal.close()


def test_compaction_keeps_what_could_still_matter(path: Path) -> None:
    journal = SqliteJournal(path)
    journal.append([Change("1", (binding("sip:a@h", 100.0),))])
    journal.append([Change("1", ()), Change("2", (binding("sip:a@h", 900.0),))])
    journal.compact(500.0)
    # The dead first row went; the removal of "1" waits in the row with the living binding of "2".
    assert journal.load(50.0).bindings.keys() == {"2"}
    journal.compact(901.0)
    assert journal.load(50.0).bindings == {}
    journal.close()


def test_a_journal_of_the_first_form_is_taken_over(path: Path) -> None:
    SqliteJournal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE journal (seq INTEGER PRIMARY KEY, aor TEXT, alive_until REAL, bindings TEXT, nonce TEXT,"
            " nonce_count INTEGER, nonce_issued_at REAL)"
        )
        rows = (("1", 100.0, "[]", "", 0, 0.0), ("1", 900.0, json.dumps(pack([binding()])), "n", 3, 50.0))
        columns = "aor, alive_until, bindings, nonce, nonce_count, nonce_issued_at"
        connection.executemany(f"INSERT INTO journal ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    for _ in range(2):
        journal = SqliteJournal(path)
        loaded = journal.load(60.0)
        assert (loaded.bindings, loaded.uses) == ({"1": (binding(),)}, [NonceUse("n", 3, 50.0)])
        journal.compact(800.0)
        journal.close()


def test_used_nonces_come_back_while_they_could_be_replayed(path: Path) -> None:
    journal = SqliteJournal(path)
    use = NonceUse("n", 3, 1000.0)
    journal.append([Change("1", (), use)])
    journal.compact(1000.0 + NONCE_LIFETIME_SECONDS - 1)
    assert journal.load(1001.0).uses == [use]
    assert journal.load(1000.0 + NONCE_LIFETIME_SECONDS).uses == []
    journal.close()


def test_a_replay_after_a_restart_changes_nothing(path: Path) -> None:
    rig = Rig(SqliteJournal(path))
    phone = Phone(rig)
    phone.challenge()
    captured = phone.signed("Contact: <sip:a@10.0.0.9>")
    assert rig.answer(captured).status == 200
    rig.journal.close()

    restarted = Rig(SqliteJournal(path))
    loaded = restarted.journal.load(restarted.clock.seconds())
    for use in loaded.uses:
        restarted.used.use(use, restarted.clock.seconds())
    assert restarted.answer(captured.replace(b"10.0.0.9", b"192.0.2.66")).status == 401
    assert restarted.value("intercom_sipd_auth_total", outcome="stale") == 1
    phone.rig = restarted
    assert phone.register("Contact: <sip:a@10.0.0.9>").status == 200, "the next count of the old nonce is good"
    restarted.journal.close()


def test_a_shorter_expiry_is_noticed_in_time() -> None:
    clock, expired = Clock(), list[str]()
    location = Location(clock, expired.append, CollectorRegistry())
    location.replace("1", (binding(expires_at=500.0),))
    location.replace("1", (binding(expires_at=20.0),))
    clock.advance(21)
    assert expired == ["1"]
    clock.advance(1000)
    assert expired == ["1"]
    assert clock.getDelayedCalls() == []


def test_many_refreshes_leave_one_entry_in_the_wheel() -> None:
    clock, expired = Clock(), list[str]()
    location = Location(clock, expired.append, CollectorRegistry())
    for second in range(200):
        location.replace("1", (binding(expires_at=second + 60.0),))
        clock.advance(1)
    assert len(clock.getDelayedCalls()) == 1
    assert expired == []
    clock.advance(60)
    assert expired == ["1"]


def test_a_number_that_left_and_came_back_has_its_own_expiry() -> None:
    clock, expired = Clock(), list[str]()
    location = Location(clock, expired.append, CollectorRegistry())
    location.replace("1", (binding(expires_at=50.0),))
    location.replace("1", ())
    location.replace("1", (binding(expires_at=90.0),))
    clock.advance(60)
    assert expired == []
    assert location.bindings("1")
    clock.advance(31)
    assert expired == ["1"]


def test_directory_follows_the_database() -> None:
    directory = Directory()
    directory.put_all([account(), account("2", account_id=2)])
    moved = account("3", account_id=2)
    assert directory.apply([2], [moved]) == {"2"}
    assert directory.get("3") == moved
    assert directory.apply([2, 2, 99], []) == {"3"}
    assert directory.apply([1], [account()]) == set()
    taken_over = account(NUMBER, account_id=5, secret="another")
    assert directory.apply([1, 5], [taken_over]) == {NUMBER}
    assert directory.get(NUMBER) == taken_over
    assert len(directory) == 1


def test_family_accounts_have_no_credentials() -> None:
    family = account("5926000001", secret=None)
    assert (family.kind, family.ha1) == (NumberKind.FAMILY, None)
    assert account(secret=SECRET).ha1 is not None
