"""Where bindings survive: an append-only journal, one row a group of changes; the newest change of a number is its
state.

A row is dead once all bindings in it have run out and its nonces are too old to be used again. Dead rows are removed
from the head only, so an older state can never come back to life.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sipd.auth.nonce import NONCE_LIFETIME_SECONDS, NonceUse
from sipd.location.binding import Bindings, Row, pack, unpack

COMPACT_ROWS = 2_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal_group (
    seq INTEGER PRIMARY KEY,
    alive_until REAL NOT NULL,
    changes TEXT NOT NULL
)
"""
_APPEND = "INSERT INTO journal_group (alive_until, changes) VALUES (?, ?)"
# Before groups had rows, each change had one. What such a table holds is read once and kept in the new form.
_FIRST_FORM = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'journal'"
_FIRST_ROWS = "SELECT aor, bindings, nonce, nonce_count, nonce_issued_at, alive_until FROM journal ORDER BY seq"


class Change(NamedTuple):
    """The whole state of a number after an accepted request, and the nonce that the request used up (None when the
    change did not come from a request)."""

    aor: str
    bindings: Bindings
    use: NonceUse | None = None

    @property
    def alive_until(self) -> float:
        nonce_end = self.use.issued_at + NONCE_LIFETIME_SECONDS if self.use else 0.0
        return max([nonce_end, *(binding.expires_at for binding in self.bindings)])


@dataclass(slots=True)
class Loaded:
    """What was alive when the journal was opened."""

    bindings: dict[str, Bindings] = field(default_factory=dict)
    uses: list[NonceUse] = field(default_factory=list)


class Journal(Protocol):
    """Called from one thread. A group that `append` took is there again after a crash; the sequence of groups is
    also what a replica would follow."""

    def load(self, now: float) -> Loaded: ...

    def append(self, group: Sequence[Change]) -> None: ...

    def compact(self, now: float) -> None: ...

    def close(self) -> None: ...


class MemoryJournal:
    """For `durability = "memory"`: nothing survives."""

    def load(self, now: float) -> Loaded:  # noqa: ARG002
        return Loaded()

    def append(self, group: Sequence[Change]) -> None:
        pass

    def compact(self, now: float) -> None:
        pass

    def close(self) -> None:
        pass


class SqliteJournal:
    """A file of its own, so that no import or report on the main database ever delays a REGISTER."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_SCHEMA)
        self._adopt_first_form()

    def load(self, now: float) -> Loaded:
        loaded = Loaded()
        newest: dict[str, list[Row]] = {}
        for aor, bindings, nonce, count, issued_at in self._changes():
            newest[aor] = bindings
            if nonce and issued_at + NONCE_LIFETIME_SECONDS > now:
                loaded.uses.append(NonceUse(nonce, count, issued_at))
        for aor, rows in newest.items():
            alive = tuple(binding for binding in unpack(rows) if binding.expires_at > now)
            if alive:
                loaded.bindings[aor] = alive
        return loaded

    def _changes(self) -> Iterator[list[Any]]:
        for (changes,) in self._connection.execute("SELECT changes FROM journal_group ORDER BY seq"):
            yield from json.loads(changes)

    def append(self, group: Sequence[Change]) -> None:
        """One statement for the whole group: between two the interpreter might do something else for long."""
        changes = [
            (c.aor, pack(c.bindings), c.use.nonce, c.use.count, c.use.issued_at)
            if c.use
            else (c.aor, pack(c.bindings), "", 0, 0.0)
            for c in group
        ]
        self._insert(max((change.alive_until for change in group), default=0.0), changes)

    def _insert(self, alive_until: float, changes: Iterable[Sequence[Any]]) -> None:
        text = json.dumps(list(changes), separators=(",", ":"))
        self._connection.execute(_APPEND, (alive_until, text))

    def _adopt_first_form(self) -> None:
        if self._connection.execute(_FIRST_FORM).fetchone() is None:
            return
        rows = self._connection.execute(_FIRST_ROWS).fetchall()
        with self._connection:
            self._connection.execute("BEGIN")
            if rows:
                changes = ([aor, json.loads(bindings), *use] for aor, bindings, *use, _ in rows)
                self._insert(max(row[-1] for row in rows), changes)
            self._connection.execute("DROP TABLE journal")

    def compact(self, now: float) -> None:
        """Removes dead rows from the head, at most COMPACT_ROWS of them."""
        last = 0
        for seq, alive_until in self._connection.execute(
            "SELECT seq, alive_until FROM journal_group ORDER BY seq LIMIT ?", (COMPACT_ROWS,)
        ):
            if alive_until > now:
                break
            last = seq
        if last:
            self._connection.execute("DELETE FROM journal_group WHERE seq <= ?", (last,))

    def close(self) -> None:
        self._connection.close()
