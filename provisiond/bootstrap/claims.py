"""Takes claims: recorded in the database before the bootstrap file leaves, so that no two takers ever get it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from intercom_core.changes.log import Action, Entity, record
from intercom_core.model.errors import SuiteError
from intercom_core.runtime.pool import WorkPool
from intercom_core.security.box import SealedBox
from intercom_core.security.sip import token_context
from intercom_core.store.engine import Store
from intercom_core.store.schema import Audit, Device
from intercom_core.telemetry import log
from provisiond.autop.answers import ClaimRequest, CloneAlarm, Response, bootstrap_response
from provisiond.autop.claim import ClaimState, Verdict, judge
from provisiond.autop.shelf import Entry, Shelf, token_key

# Every alarm is counted; the audit log gets one a device in this time, so that a scanner can't fill it.
AUDIT_EVERY = timedelta(hours=1)
# Until an alarm is raised: an answer leaves with the reactor's next turn.
ALARM_SECONDS = 0.05
ACTOR = "provisiond"
_STATE = (Device.claim_open_until, Device.claimed_at, Device.claimed_from)

_log = log.get("provisiond.claims")


@dataclass(frozen=True, slots=True)
class Metrics:
    claims: Counter
    clone_alarms: Counter

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Metrics:
        return cls(
            Counter("intercom_provisiond_claims", "Bootstrap claims by verdict", ["verdict"], registry=registry),
            Counter("intercom_provisiond_clone_alarms", "Second takers of a bootstrap file", registry=registry),
        )


class OutdatedError(SuiteError):
    """Memory has not yet heard of the device's newest URL: handing out the old one would waste the claim."""

    code = "outdated-claim"


class Claims:
    """`now` gives aware UTC times, `box` opens URL tokens."""

    def __init__(
        self,
        clock: IReactorTime,
        store: Store,
        pool: WorkPool,
        shelf: Shelf,
        now: Callable[[], datetime],
        box: SealedBox,
        metrics: Metrics,
    ) -> None:
        self._clock = clock
        self._store = store
        self._pool = pool
        self._shelf = shelf
        self._now = now
        self._box = box
        self._metrics = metrics
        self._audited: dict[int, datetime] = {}
        self._alarms: list[CloneAlarm] = []
        self._timer: IDelayedCall | None = None

    async def take(self, wanted: ClaimRequest) -> Response:
        """Returns after the claim is committed. The database decides: memory may lag behind another process.

        Raises OutdatedError when it lags so far that the device should come again.
        """
        entry = wanted.entry
        verdict, state = await self._pool.run(self._record, entry, wanted.source)
        self._metrics.claims.labels(verdict).inc()
        self._shelf.set_claim(entry.device_id, state)
        if verdict is Verdict.GRANT:
            _log.info("bootstrap_claimed", mac=entry.mac, source=wanted.source)
        return bootstrap_response(entry, verdict, wanted.source)

    def _record(self, entry: Entry, source: str) -> tuple[Verdict, ClaimState]:
        device_id = entry.device_id
        columns = (*_STATE, Device.project_id, Device.mac, Device.sealed_token)
        with self._store.write() as session:
            row = session.execute(select(*columns).where(Device.id == device_id).with_for_update()).one_or_none()
            if row is None:
                return Verdict.CLOSED, ClaimState()
            if token_key(self._box.open(row.sealed_token, token_context(row.mac))) != entry.token_key:
                raise OutdatedError("The URL of the device has just changed.")
            state = ClaimState(row.claim_open_until, row.claimed_at, row.claimed_from)
            now = self._now()
            verdict = judge(state, source, now)
            if verdict is Verdict.GRANT:
                state = ClaimState(row.claim_open_until, now, source)
                session.execute(
                    update(Device).where(Device.id == device_id).values(claimed_at=now, claimed_from=source)
                )
                record(session, Entity.CLAIM, device_id, row.project_id, Action.UPDATED)
                _audit(session, "bootstrap_claimed", device_id, row.project_id, source, row.mac)
            return verdict, state

    def note_alarm(self, alarm: CloneAlarm) -> None:
        """Raises the alarm once the answer has left: by its time it must not differ from that to an unknown MAC."""
        self._alarms.append(alarm)
        if self._timer is None:
            self._timer = self._clock.callLater(ALARM_SECONDS, self._start_alarms)

    def _start_alarms(self) -> None:
        self._timer = None
        Deferred.fromCoroutine(self._raise_alarms())

    async def _raise_alarms(self) -> None:
        """One that can't be recorded is logged and does not hold up the others."""
        alarms, self._alarms = self._alarms, []
        for alarm in alarms:
            try:
                await self.raise_alarm(alarm)
            except Exception:
                _log.exception("alarm_not_recorded", mac=alarm.mac)

    async def stop(self) -> None:
        """Raises what was noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._raise_alarms()

    async def raise_alarm(self, alarm: CloneAlarm) -> None:
        """Counts and logs the alarm, and adds an audit row unless the device got one lately."""
        self._metrics.clone_alarms.inc()
        now = self._now()
        last = self._audited.get(alarm.device_id)
        if last is not None and now - last < AUDIT_EVERY:
            return
        self._audited[alarm.device_id] = now
        _log.warning("clone_alarm", mac=alarm.mac, source=alarm.source)
        await self._pool.run(self._write_alarm, alarm)

    def _write_alarm(self, alarm: CloneAlarm) -> None:
        with self._store.write() as session:
            _audit(session, "clone_alarm", alarm.device_id, alarm.project_id, alarm.source, alarm.mac)


def load_claim(session: Session, device_id: int) -> ClaimState | None:
    """The claim as stored; None when there is no such device."""
    row = session.execute(select(*_STATE).where(Device.id == device_id)).one_or_none()
    return None if row is None else ClaimState(row.claim_open_until, row.claimed_at, row.claimed_from)


def _audit(session: Session, action: str, device_id: int, project_id: int, source: str, mac: str) -> None:
    session.execute(
        insert(Audit).values(
            actor=ACTOR,
            address=source,
            action=action,
            entity=Entity.DEVICE,
            entity_id=device_id,
            project_id=project_id,
            after={"mac": mac},
        )
    )
