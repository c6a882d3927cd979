"""Allotting SIP numbers (guide §3): O(1), unique under concurrency, no reuse inside the quarantine.

Fresh numbers go first; a pool that is used up lives on the numbers whose quarantine has ended, oldest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from intercom_core.model.errors import InvalidValueError, PoolExhaustedError
from intercom_core.model.numbers import NumberRange, Pool
from intercom_core.store.schema import NumberPool, SipNumber


def configure_pools(session: Session, pools: Mapping[Pool, NumberRange]) -> None:
    """Creates the pools, or moves their end. A pool's start is fixed: numbers below it may be in use."""
    for name, wanted in pools.items():
        pool = session.get(NumberPool, name.value)
        if pool is None:
            session.add(
                NumberPool(
                    name=name.value, first_number=wanted.first, last_number=wanted.last, next_number=wanted.first
                )
            )
        elif pool.first_number != wanted.first:
            raise InvalidValueError(
                f"numbers.{name}", f"The pool starts at {pool.first_number}; this can't be changed."
            )
        elif wanted.last < pool.next_number - 1:
            raise InvalidValueError(f"numbers.{name}", f"Numbers up to {pool.next_number - 1} are given out already.")
        else:
            pool.last_number = wanted.last


def allocate(session: Session, pool: Pool, now: datetime) -> str:
    """Takes one number; it is back in the pool if the transaction rolls back. Raises PoolExhaustedError."""
    taken = session.execute(
        update(NumberPool)
        .where(NumberPool.name == pool.value, NumberPool.next_number <= NumberPool.last_number)
        .values(next_number=NumberPool.next_number + 1)
        .returning(NumberPool.next_number)
    ).scalar_one_or_none()
    if taken is None:
        return _reuse(session, pool, now)
    number = str(taken - 1)
    session.execute(insert(SipNumber).values(number=number, pool=pool.value))
    return number


def _reuse(session: Session, pool: Pool, now: datetime) -> str:
    in_pool = select(SipNumber).where(SipNumber.pool == pool.value, SipNumber.reusable_at.is_not(None))
    oldest = in_pool.order_by(SipNumber.reusable_at, SipNumber.number).limit(1)
    due = session.scalar(oldest.where(SipNumber.reusable_at <= now).with_for_update(skip_locked=True))
    if due is not None:
        due.reusable_at = None
        session.flush()
        return due.number
    waiting = session.scalar(oldest)
    hint = f" The next one leaves quarantine at {waiting.reusable_at:%Y-%m-%d %H:%M} UTC." if waiting else ""
    raise PoolExhaustedError(f"The {pool} number pool is used up.{hint}")


def release(session: Session, number: str, now: datetime, quarantine: timedelta) -> None:
    """Puts a number into quarantine: nobody gets it before `now + quarantine`."""
    session.execute(update(SipNumber).where(SipNumber.number == number).values(reusable_at=now + quarantine))
