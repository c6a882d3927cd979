"""Who may register: SIP number -> account, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intercom_core.model.numbers import NumberKind
from intercom_core.security.sip import Ha1


@dataclass(frozen=True, slots=True)
class Account:
    """`ha1` is None for numbers without credentials: family numbers never register."""

    id: int
    number: str
    kind: NumberKind
    project_id: int
    device_id: int | None
    active: bool
    ha1: Ha1 | None

    @property
    def mark(self) -> str:
        """Stands for the credentials, without telling them: what was bound with others is not this account's. Empty
        while nobody may register."""
        if self.ha1 is None or not self.active:
            return ""
        return hashlib.blake2b(self.ha1.pack(), digest_size=8).hexdigest()


class Directory:
    """Keyed by number for requests and by id for changes: a number may pass to another account."""

    def __init__(self) -> None:
        self._by_number: dict[str, Account] = {}
        self._number_by_id: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def get(self, number: str) -> Account | None:
        return self._by_number.get(number)

    def mark(self, number: str) -> str:
        """The mark of the number's account, empty when it has none."""
        account = self._by_number.get(number)
        return account.mark if account is not None else ""

    def put(self, account: Account) -> None:
        self.remove(account.id)
        self._by_number[account.number] = account
        self._number_by_id[account.id] = account.number

    def put_all(self, accounts: Iterable[Account]) -> None:
        for account in accounts:
            self.put(account)

    def apply(self, ids: Sequence[int], found: Iterable[Account]) -> set[str]:
        """Bring the accounts `ids` to what the database holds now, `found`. Returns the numbers whose bindings end:
        they have no account any more, another one, or one with other credentials."""
        numbers = {number for account_id in ids if (number := self._number_by_id.get(account_id)) is not None}
        before = {number: self.mark(number) for number in numbers}
        for account_id in ids:
            self.remove(account_id)
        self.put_all(found)
        return {number for number, mark in before.items() if self.mark(number) != mark}

    def remove(self, account_id: int) -> None:
        number = self._number_by_id.pop(account_id, None)
        account = self._by_number.get(number) if number is not None else None
        if account is not None and account.id == account_id:
            del self._by_number[account.number]
