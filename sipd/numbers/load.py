"""SIP accounts from the database, and what changes in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select

from intercom_core.model.numbers import NumberKind
from intercom_core.security.box import SealedBox, SealError
from intercom_core.security.sip import Ha1, ha1_context
from intercom_core.store.engine import Store
from intercom_core.store.schema import Installation, SipAccount
from intercom_core.telemetry import log
from sipd.numbers.directory import Account

IDS_AT_ONCE = 500

_log = log.get("sipd.numbers")


class AccountLoader:
    """Blocking: runs in the database pool. `box` opens HA1s, never passwords."""

    def __init__(self, store: Store, box: SealedBox) -> None:
        self._store = store
        self._box = box

    def realm(self) -> str:
        """The realm that every stored HA1 was made with."""
        with self._store.read() as session:
            return session.execute(select(Installation.sip_realm)).scalar_one()

    def all(self) -> list[Account]:
        with self._store.read() as session:
            return self._accounts(session.execute(_query()).all())

    def some(self, ids: Sequence[int]) -> list[Account]:
        """The accounts of `ids` that exist."""
        found: list[Account] = []
        with self._store.read() as session:
            for start in range(0, len(ids), IDS_AT_ONCE):
                query = _query().where(SipAccount.id.in_(ids[start : start + IDS_AT_ONCE]))
                found += self._accounts(session.execute(query).all())
        return found

    def _accounts(self, rows: Iterable[Any]) -> list[Account]:
        return [
            Account(
                row.id,
                row.number,
                NumberKind(row.kind),
                row.project_id,
                row.device_id,
                row.active,
                self._open(row.number, row.kind, row.sealed_ha1),
            )
            for row in rows
        ]

    def _open(self, number: str, kind: str, sealed: bytes | None) -> Ha1 | None:
        if sealed is None or kind == NumberKind.FAMILY:
            return None
        try:
            return Ha1.unpack(self._box.open(sealed, ha1_context(number)))
        except SealError:
            # One damaged row must not keep all others from registering.
            _log.error("ha1_does_not_open", number=number)
            return None


def _query() -> Any:
    return select(
        SipAccount.id,
        SipAccount.number,
        SipAccount.kind,
        SipAccount.project_id,
        SipAccount.device_id,
        SipAccount.sealed_ha1,
        SipAccount.active,
    )
