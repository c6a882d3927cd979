"""Claims on real databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_twisted
from prometheus_client import CollectorRegistry
from prov_world import Rows
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock

from intercom_core.changes.log import ChangeReader, Entity
from intercom_core.runtime.pool import WorkPool
from intercom_core.security.sip import token_context
from provisiond.autop.answers import ClaimRequest, CloneAlarm, Refusal, Response
from provisiond.autop.claim import ClaimState
from provisiond.autop.shelf import Shelf, token_key
from provisiond.bootstrap.claims import ALARM_SECONDS, Claims, Metrics, OutdatedError
from tests.unit.provisiond.samples import MAC, entry


class World:
    def __init__(self, rows: Rows, pool: WorkPool) -> None:
        self.rows = rows
        self.now = datetime.now(UTC)
        self.registry = CollectorRegistry()
        self.shelf = Shelf()
        self.project_id = rows.project()
        self.device_id = rows.device(self.project_id, 0, mac=MAC)
        open_claim = ClaimState(open_until=self.now + timedelta(hours=1))
        self.entry = replace(
            entry(claim=open_claim),
            device_id=self.device_id,
            project_id=self.project_id,
            token_key=token_key(rows.token(MAC).encode()),
        )
        self.shelf.put(self.entry)
        self.clock = Clock()
        metrics = Metrics.on(self.registry)
        self.claims = Claims(self.clock, rows.store, pool, self.shelf, lambda: self.now, rows.box, metrics)

    async def ask(self, source: str) -> Response:
        return await self.claims.take(ClaimRequest(self.entry, source))

    def state(self) -> ClaimState:
        found = self.shelf.by_id(self.device_id)
        assert found is not None
        return found.claim

    def alarms(self) -> float | None:
        return self.registry.get_sample_value("intercom_provisiond_clone_alarms_total")


@pytest_twisted.ensureDeferred
async def test_a_claim_is_committed_with_change_and_audit_before_the_file_leaves(rows: Rows, pool: WorkPool) -> None:
    world = World(rows, pool)
    cursor = ChangeReader(rows.store).head()
    response = await world.ask("10.0.0.5")
    assert response.status == b"200 OK"
    changes, _ = ChangeReader(rows.store).read(cursor)
    assert [(c.entity, c.entity_id, c.project_id) for c in changes] == [
        (Entity.CLAIM, world.device_id, world.project_id)
    ]
    assert rows.audit() == [("bootstrap_claimed", "10.0.0.5")]
    assert (world.state().claimed_at, world.state().claimed_from) == (world.now, "10.0.0.5")


@pytest_twisted.ensureDeferred
async def test_of_many_takers_at_once_exactly_one_gets_the_file(rows: Rows, pool: WorkPool) -> None:
    world = World(rows, pool)
    answers = await gatherResults(
        [Deferred.fromCoroutine(world.ask(f"10.0.0.{n}")) for n in range(8)], consumeErrors=True
    )
    assert sum(answer.status == b"200 OK" for answer in answers) == 1
    assert sum(answer.refusal is Refusal.CLAIM_TAKEN for answer in answers) == 7
    assert [action for action, _ in rows.audit()] == ["bootstrap_claimed"]


@pytest_twisted.ensureDeferred
async def test_the_database_decides_when_memory_is_behind(rows: Rows, pool: WorkPool) -> None:
    world = World(rows, pool)
    rows.change_device(world.device_id, claimed_at=world.now, claimed_from="10.0.0.9")
    refused = await world.ask("10.0.0.5")
    assert isinstance(refused.event, CloneAlarm)
    assert world.state().claimed_from == "10.0.0.9"
    assert (await world.ask("10.0.0.9")).status == b"200 OK"


@pytest_twisted.ensureDeferred
async def test_a_url_that_was_rotated_a_moment_ago_takes_no_claim(rows: Rows, pool: WorkPool) -> None:
    """Memory would hand out the old URL: the claim would be used up and the device locked out."""
    world = World(rows, pool)
    rows.change_device(world.device_id, sealed_token=rows.box.seal(b"n" * 32, token_context(MAC)))
    with pytest.raises(OutdatedError):
        await world.ask("10.0.0.5")
    assert rows.audit() == []
    assert world.state().claimed_at is None


@pytest_twisted.ensureDeferred
async def test_a_deleted_device_gives_nothing(rows: Rows, pool: WorkPool) -> None:
    world = World(rows, pool)
    rows.remove_device(world.device_id)
    assert (await world.ask("10.0.0.5")).refusal is Refusal.CLAIM_CLOSED


@pytest_twisted.ensureDeferred
async def test_an_alarm_takes_no_time_from_the_answer_and_is_not_lost_at_the_end(rows: Rows, pool: WorkPool) -> None:
    """What is done before the answer leaves would tell by its time that a MAC is known."""
    world = World(rows, pool)
    alarm = CloneAlarm(world.device_id, world.project_id, MAC, "10.0.0.6")
    world.claims.note_alarm(alarm)
    world.clock.advance(0)
    assert world.alarms() == 0
    world.clock.advance(ALARM_SECONDS)
    assert world.alarms() == 1
    world.claims.note_alarm(alarm)
    await world.claims.stop()
    assert world.alarms() == 2
    assert world.clock.getDelayedCalls() == []


@pytest_twisted.ensureDeferred
async def test_every_alarm_is_counted_and_the_audit_log_gets_one_an_hour(rows: Rows, pool: WorkPool) -> None:
    world = World(rows, pool)
    alarm = CloneAlarm(world.device_id, world.project_id, MAC, "10.0.0.6")
    for minutes in (0, 1, 59, 2):
        world.now += timedelta(minutes=minutes)
        await world.claims.raise_alarm(alarm)
    assert world.alarms() == 4
    assert rows.audit() == [("clone_alarm", "10.0.0.6")] * 2
