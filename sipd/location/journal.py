"""Where bindings survive: an append-only journal, one row a change, the newest row of a number is its state.

A row is dead once all its bindings have run out and its nonce is too old to be used again. Dead rows are removed
from the head only, so an older state can never come back to life.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sipd.auth.nonce import NONCE_LIFETIME_SECONDS, NonceUse
from sipd.location.binding import Bindings, pack, unpack

COMPACT_ROWS = 20_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY,
    aor TEXT NOT NULL,
    alive_until REAL NOT NULL,
    bindings TEXT NOT NULL,
    nonce TEXT NOT NULL,
    nonce_count INTEGER NOT NULL,
    nonce_issued_at REAL NOT NULL
)
"""
_APPEND = """
INSERT INTO journal (aor, alive_until, bindings, nonce, nonce_count, nonce_issued_at) VALUES (?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Change:
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

    def load(self, now: float) -> Loaded:
        loaded = Loaded()
        newest: dict[str, str] = {}
        rows = self._connection.execute(
            "SELECT aor, bindings, nonce, nonce_count, nonce_issued_at FROM journal ORDER BY seq"
        )
        for aor, bindings, nonce, count, issued_at in rows:
            newest[aor] = bindings
            if nonce and issued_at + NONCE_LIFETIME_SECONDS > now:
                loaded.uses.append(NonceUse(nonce, count, issued_at))
        for aor, text in newest.items():
            alive = tuple(binding for binding in unpack(text) if binding.expires_at > now)
            if alive:
                loaded.bindings[aor] = alive
        return loaded

    def append(self, group: Sequence[Change]) -> None:
        rows = [
            (c.aor, c.alive_until, pack(c.bindings), c.use.nonce, c.use.count, c.use.issued_at)
            if c.use
            else (c.aor, c.alive_until, pack(c.bindings), "", 0, 0.0)
            for c in group
        ]
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany(_APPEND, rows)

    def compact(self, now: float) -> None:
        """Removes dead rows from the head, at most COMPACT_ROWS of them."""
        last = 0
        for seq, alive_until in self._connection.execute(
            "SELECT seq, alive_until FROM journal ORDER BY seq LIMIT ?", (COMPACT_ROWS,)
        ):
            if alive_until > now:
                break
            last = seq
        if last:
            self._connection.execute("DELETE FROM journal WHERE seq <= ?", (last,))

    def close(self) -> None:
        self._connection.close()
