"""The SIP number plan: pools, and which kind of account draws from which (guide §3: family and personal numbers)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from intercom_core.model.errors import InvalidValueError


class Pool(StrEnum):
    FAMILY = "family"
    PERSONAL = "personal"


class NumberKind(StrEnum):
    """FAMILY rings an apartment and never registers; PERSONAL is a resident's app, DEVICE a device."""

    FAMILY = "family"
    PERSONAL = "personal"
    DEVICE = "device"

    @property
    def pool(self) -> Pool:
        return Pool.FAMILY if self is NumberKind.FAMILY else Pool.PERSONAL


@dataclass(frozen=True, slots=True)
class NumberRange:
    """First and last number of a pool, both included, same count of digits."""

    first: int
    last: int

    @classmethod
    def parse(cls, field: str, text: str) -> NumberRange:
        """`5926000000-5926099999` -> NumberRange."""
        first, dash, last = (part.strip() for part in text.partition("-"))
        digits = first.isascii() and first.isdigit() and last.isascii() and last.isdigit()
        if not dash or not digits or len(first) != len(last) or not 4 <= len(first) <= 15:
            raise InvalidValueError(field, "A pool looks like 5926000000-5926099999 (4 to 15 digits each).")
        if first.startswith("0"):
            raise InvalidValueError(field, "The numbers of a pool must not start with 0.")
        if int(first) > int(last):
            raise InvalidValueError(field, "The first number of a pool is greater than its last.")
        return cls(int(first), int(last))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def overlaps(self, other: NumberRange) -> bool:
        return self.first <= other.last and other.first <= self.last
