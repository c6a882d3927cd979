"""Number allocation under concurrency, on both databases (guide §3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from intercom_core.model.errors import InvalidValueError, PoolExhaustedError
from intercom_core.model.numbers import NumberRange, Pool
from intercom_core.store.engine import Store
from intercom_core.store.numbers import allocate, configure_pools, release
from intercom_core.store.schema import now_utc

ALLOCATORS = 8
FIRST = 5926100001


def _configure(store: Store, count: int) -> None:
    with store.write() as session:
        family = NumberRange(5926000001, 5926000001)
        configure_pools(session, {Pool.PERSONAL: NumberRange(FIRST, FIRST + count - 1), Pool.FAMILY: family})


def _allocate_one(store: Store, *, abort: bool = False) -> str:
    with store.write() as session:
        number = allocate(session, Pool.PERSONAL, now_utc())
        if abort:
            raise RuntimeError("rolled back")
    return number


def test_concurrent_allocators_never_share_a_number_and_rollbacks_waste_none(store: Store) -> None:
    _configure(store, 200)

    def take(worker: int) -> list[str]:
        taken = []
        for turn in range(25):
            if turn % 5 == worker % 5:
                with pytest.raises(RuntimeError):
                    _allocate_one(store, abort=True)
            taken.append(_allocate_one(store))
        return taken

    with ThreadPoolExecutor(ALLOCATORS) as pool:
        numbers = [number for taken in pool.map(take, range(ALLOCATORS)) for number in taken]
    assert sorted(numbers) == [str(FIRST + offset) for offset in range(200)]


def test_an_exhausted_pool_says_so_and_changes_nothing(store: Store) -> None:
    _configure(store, 1)
    _allocate_one(store)
    with pytest.raises(PoolExhaustedError, match="personal number pool is used up"):
        _allocate_one(store)


def test_a_released_number_returns_only_after_its_quarantine_and_to_one_taker(store: Store) -> None:
    _configure(store, 1)
    number = _allocate_one(store)
    now = now_utc()
    with store.write() as session:
        release(session, number, now, timedelta(days=90))
    with pytest.raises(PoolExhaustedError, match="leaves quarantine"):
        _allocate_one(store)
    with store.write() as session:
        assert allocate(session, Pool.PERSONAL, now + timedelta(days=90, seconds=1)) == number
    with store.write() as session, pytest.raises(PoolExhaustedError):
        allocate(session, Pool.PERSONAL, now + timedelta(days=91))


def test_racing_for_numbers_out_of_quarantine_gives_each_to_one(store: Store) -> None:
    _configure(store, ALLOCATORS)
    numbers = [_allocate_one(store) for _ in range(ALLOCATORS)]
    with store.write() as session:
        for number in numbers:
            release(session, number, now_utc() - timedelta(days=1), timedelta(hours=1))
    with ThreadPoolExecutor(ALLOCATORS) as pool:
        again = list(pool.map(lambda _: _allocate_one(store), range(ALLOCATORS)))
    assert sorted(again) == sorted(numbers)


def test_a_pool_can_grow_but_not_lose_numbers_that_are_given_out(store: Store) -> None:
    _configure(store, 2)
    _allocate_one(store)
    _allocate_one(store)
    with pytest.raises(InvalidValueError, match="given out already"):
        _configure(store, 1)
    _configure(store, 3)
    assert _allocate_one(store) == str(FIRST + 2)
