"""What is served, in memory: found by secret token or by MAC, never by looking into the database."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from provisiond.autop.claim import ClaimState
from provisiond.autop.render import ConfigFile, DeviceFiles


def token_key(token: bytes) -> bytes:
    """Tokens are looked up by digest: how long a look-up takes says nothing about how much of a guess was right."""
    return hashlib.sha256(token).digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One device as it is served. `number` None: it has no active SIP account."""

    device_id: int
    project_id: int
    mac: str
    token_key: bytes
    number: str | None
    files: DeviceFiles
    bootstrap: ConfigFile
    claim: ClaimState


class Shelf:
    """All entries. Used in the reactor thread only."""

    def __init__(self) -> None:
        self._by_id: dict[int, Entry] = {}
        self._by_mac: dict[str, Entry] = {}
        self._by_token: dict[bytes, Entry] = {}
        self._projects: dict[int, set[int]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, device_id: int) -> Entry | None:
        return self._by_id.get(device_id)

    def by_mac(self, mac: str) -> Entry | None:
        """`mac` in upper case."""
        return self._by_mac.get(mac)

    def by_token(self, token: bytes) -> Entry | None:
        return self._by_token.get(token_key(token))

    def ids_of(self, project_id: int) -> frozenset[int]:
        return frozenset(self._projects.get(project_id, ()))

    def put(self, entry: Entry) -> None:
        """Adds an entry, or replaces the one of the same device, also when its MAC or token changed."""
        self.drop((entry.device_id,))
        self._by_id[entry.device_id] = entry
        self._by_mac[entry.mac] = entry
        self._by_token[entry.token_key] = entry
        self._projects[entry.project_id].add(entry.device_id)

    def drop(self, device_ids: Iterable[int]) -> None:
        """Forgets devices; unknown ones are ignored."""
        for device_id in device_ids:
            old = self._by_id.pop(device_id, None)
            if old is None:
                continue
            # A MAC may have moved on to a newer device already.
            if self._by_mac.get(old.mac) is old:
                del self._by_mac[old.mac]
            self._by_token.pop(old.token_key, None)
            members = self._projects[old.project_id]
            members.discard(device_id)
            if not members:
                del self._projects[old.project_id]

    def set_claim(self, device_id: int, claim: ClaimState) -> None:
        entry = self._by_id.get(device_id)
        if entry is not None and entry.claim != claim:
            self.put(replace(entry, claim=claim))
