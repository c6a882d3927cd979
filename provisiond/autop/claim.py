"""The rules of the claim, pure: who gets the bootstrap file of a device (docs/protocol/autop.md, "The claim")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

REPEAT_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ClaimState:
    """`open_until` None: never opened. `claimed_from` is the address of the taker."""

    open_until: datetime | None = None
    claimed_at: datetime | None = None
    claimed_from: str = ""


class Verdict(StrEnum):
    """GRANT must be recorded before the file leaves; REPEAT is the lost answer to the taker; TAKEN is an alarm."""

    GRANT = "grant"
    REPEAT = "repeat"
    TAKEN = "taken"
    CLOSED = "closed"


def judge(state: ClaimState, source: str, now: datetime) -> Verdict:
    """What `source`, asking at `now`, is to get."""
    if state.claimed_at is not None:
        # In either direction: a clock that was set back must not open the minute again.
        lost_answer = source == state.claimed_from and abs(now - state.claimed_at) <= REPEAT_WITHIN
        return Verdict.REPEAT if lost_answer else Verdict.TAKEN
    if state.open_until is not None and now < state.open_until:
        return Verdict.GRANT
    return Verdict.CLOSED
