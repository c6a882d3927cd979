"""How long and how many."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Expiry bounds in seconds (`[sipd]` of the configuration), and contacts an address of record may have."""

    default_expires_seconds: int = 300
    min_expires_seconds: int = 60
    max_expires_seconds: int = 3600
    contacts: int = 10
