"""People who work with the suite."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    DISTRIBUTOR = "distributor"
    INSTALLER = "installer"
    PROPERTY_MANAGER = "property_manager"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is acting: the account behind a session, and the address the request came from."""

    account_id: int
    login: str
    role: Role
    address: str
