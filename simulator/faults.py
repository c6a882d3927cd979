"""Fault switches: how a simulated device misbehaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any


class FaultError(ValueError):
    """A switch that does not exist or a value out of its range; the text names both."""


@dataclass(frozen=True, slots=True)
class Faults:
    """All off by default.

    lose_response: share (0-1) of SIP responses that never reach the device.
    drop_notify: share (0-1) of NOTIFYs that the device neither answers nor obeys.
    reboot_every_seconds: power is cut this often; 0 = never.
    wrong_secret: answers SIP challenges with a wrong secret.
    slow_read: takes HTTP answers in small bites with pauses between them.
    """

    lose_response: float = 0.0
    drop_notify: float = 0.0
    reboot_every_seconds: float = 0.0
    wrong_secret: bool = False
    slow_read: bool = False

    @classmethod
    def parse(cls, switches: Iterable[str]) -> Faults:
        """`["lose_response=0.1", "slow_read=yes"]` -> Faults; raises FaultError."""
        names = [field.name for field in fields(cls)]
        values: dict[str, Any] = {}
        for switch in switches:
            name, _, text = switch.partition("=")
            if name not in names:
                raise FaultError(f"There is no fault {name!r}; there are: {', '.join(names)}.")
            read = _flag if isinstance(getattr(cls(), name), bool) else _number
            values[name] = read(name, text)
        return cls(**values)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("", "yes", "true", "1", "no", "false", "0"):
        raise FaultError(f"The fault {name} is yes or no, not {text!r}.")
    return text.lower() in ("", "yes", "true", "1")


def _number(name: str, text: str) -> float:
    limit = 86_400.0 if name.endswith("_seconds") else 1.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= limit:
        raise FaultError(f"The fault {name} is a number from 0 to {limit:g}, not {text!r}.")
    return value
