"""The real application over a real database; only the clock and the cost of hashing are ours."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal
from argon2 import PasswordHasher
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from admin_api.app import create_app
from admin_api.auth.passwords import Passwords
from admin_api.auth.throttle import LoginThrottle
from admin_api.metrics import Metrics
from admin_api.services import Services
from intercom_core.config.settings import Settings
from intercom_core.model.account import Role
from intercom_core.model.numbers import Pool
from intercom_core.security.box import SealedBox
from intercom_core.store.engine import Store
from intercom_core.store.numbers import configure_pools
from intercom_core.store.schema import Account, Audit, Base, ChangeLog, Installation

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

DISTRIBUTOR, PASSWORD = "distributor", "a long password"
_JSON = {"Content-Type": "application/json"}
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Time:
    """A wall clock that only moves when told."""

    now: datetime = datetime(2031, 3, 1, 12, 0, tzinfo=UTC)
    monotonic: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta) -> None:
        self.now += step
        self.monotonic += step.total_seconds()


@dataclass
class World:
    """One installation, and who is logged in to it."""

    services: Services
    app: FastAPI
    time: Time
    registry: CollectorRegistry
    portal: BlockingPortal

    @property
    def store(self) -> Store:
        return self.services.store

    def client(self, login: str | None = None, password: str = PASSWORD) -> Client:
        http = create_client(self)
        client = Client(http)
        if login is not None:
            token = client.post("/login", {"login": login, "password": password}, expect=200)["token"]
            http.headers["Authorization"] = f"Bearer {token}"
        return client

    def installer(self, login: str) -> Client:
        """Creates the installer and logs in as it."""
        body = {"login": login, "password": PASSWORD, "name": login.title()}
        self.client(DISTRIBUTOR).post("/installers", body)
        return self.client(login)

    def count(self, table: type[Base], *conditions: Any) -> int:
        with self.store.read() as session:
            return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0

    def rows(self, table: type[Base]) -> list[Any]:
        with self.store.read() as session:
            found = list(session.scalars(select(table)))
            session.expunge_all()
            return found

    def journal(self) -> tuple[int, int]:
        """How many audit rows and change rows there are."""
        return self.count(Audit), self.count(ChangeLog)


def create_client(world: World) -> TestClient:
    http = TestClient(world.app, raise_server_exceptions=True, follow_redirects=False)
    http.portal = world.portal  # one event loop for all, instead of a thread and a loop a request
    return http


class Client:
    """JSON requests under /api/v1; each says the status that it expects."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        self.transcript: list[str] = []

    def _send(self, method: str, path: str, body: Any, expect: int) -> Any:
        # Escaped to ASCII, so that a test can send what UTF-8 can't hold.
        content = None if body is None else json.dumps(body)
        answer = self.http.request(method, f"/api/v1{path}", content=content, headers=_JSON)
        self.transcript.append(answer.text)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == expect
        return answer.json() if answer.content else None

    def get(self, path: str, expect: int = 200) -> Any:
        return self._send("GET", path, None, expect)

    def post(self, path: str, body: Any = None, expect: int = 201) -> Any:
        return self._send("POST", path, body, expect)

    def patch(self, path: str, body: Any, expect: int = 200) -> Any:
        return self._send("PATCH", path, body, expect)

    def delete(self, path: str, expect: int = 204) -> Any:
        return self._send("DELETE", path, None, expect)

    def community(self, **fields: Any) -> int:
        return int(self.post("/communities", COMMUNITY | fields)["id"])

    def bind(self, community: int, mac: str, **fields: Any) -> dict[str, Any]:
        """Adds the MAC to the library and a door phone with it."""
        self.post(f"/communities/{community}/macs", {"mac": mac})
        body = {"mac": mac, "type": 0, "location": "Gate", "relays": [{"name": "Gate"}]} | fields
        device: dict[str, Any] = self.post(f"/communities/{community}/devices", body)
        return device


COMMUNITY = {
    "name": "Riverside",
    "street": "Quay 1",
    "city": "Xiamen",
    "post_code": "361006",
    "state": "Fujian",
    "country": "China",
    "feature_plan": "premium",
    "time_zone": "Asia/Shanghai",
}


def prepare(store: Store) -> None:
    settings = Settings()
    with store.write() as session:
        configure_pools(session, {Pool.FAMILY: settings.numbers.family, Pool.PERSONAL: settings.numbers.personal})
        session.add(Installation(sip_realm="sip.example"))
        hashed = CHEAP_HASHER.hash(PASSWORD)
        session.add(Account(role=Role.DISTRIBUTOR, login=DISTRIBUTOR, password_hash=hashed))


def open_world(store: Store, data_dir: Path, portal: BlockingPortal) -> World:
    prepare(store)
    time, registry = Time(), CollectorRegistry()
    services = Services(
        settings=Settings(data_dir=data_dir),
        store=store,
        sip_realm="sip.example",
        provisioning_box=SealedBox(b"p" * 32),
        sip_box=SealedBox(b"s" * 32),
        passwords=Passwords(CHEAP_HASHER),
        throttle=LoginThrottle(lambda: time.monotonic),
        metrics=Metrics(registry),
        clock=time,
    )
    return World(services, create_app(services), time, registry, portal)
