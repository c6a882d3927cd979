"""From changes to what must be looked at again. Coarse: a change in a project re-renders that project and compares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from intercom_core.changes.log import Change, Entity

_CONTENT = frozenset(
    {
        Entity.PROJECT,
        Entity.BUILDING,
        Entity.APARTMENT,
        Entity.RESIDENT,
        Entity.DEVICE,
        Entity.SIP_ACCOUNT,
        Entity.AUTOP_COMMAND,
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Projects to render again, devices whose claim changed, SIP accounts that came or went. Sorted."""

    projects: tuple[int, ...]
    claims: tuple[int, ...] = ()
    registrations: tuple[int, ...] = ()


def plan(changes: Iterable[Change]) -> Plan:
    """Each project once, however many changes concern it. Other entities are ignored."""
    projects: set[int] = set()
    claims: set[int] = set()
    registrations: set[int] = set()
    for change in changes:
        if change.entity == Entity.CLAIM:
            claims.add(change.entity_id)
        elif change.entity == Entity.REGISTRATION:
            registrations.add(change.entity_id)
        elif change.entity in _CONTENT:
            owner = change.entity_id if change.entity == Entity.PROJECT else change.project_id
            if owner is not None:
                projects.add(owner)
    return Plan(tuple(sorted(projects)), tuple(sorted(claims)), tuple(sorted(registrations)))
