"""Shared fixtures: real databases, and no test that leaves something running in the reactor."""

from __future__ import annotations

import gc
import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port
from sqlalchemy import text
from twisted.logger import globalLogPublisher

from intercom_core.store.engine import Store, open_engine
from intercom_core.store.migrate import migrate

PG_BIN = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="session", autouse=True)
def _young_heap() -> None:
    """What was imported stays: the collection after each test has only the test's own objects to look at."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_reactor() -> Iterator[None]:
    """Fails a test that leaves delayed calls behind or whose Deferred failed with nobody listening."""
    from twisted.internet import reactor

    before = set(reactor.getDelayedCalls())  # type: ignore[attr-defined]
    unhandled: list[str] = []

    def watch(event: dict[str, object]) -> None:
        if event.get("log_failure") is not None and "Unhandled" in str(event.get("log_format", "")):
            unhandled.append(str(event["log_failure"]))

    globalLogPublisher.addObserver(watch)  # type: ignore[arg-type]
    yield
    gc.collect()
    gc.freeze()  # what survived its test is not looked at again after each of the others
    globalLogPublisher.removeObserver(watch)  # type: ignore[arg-type]
    left = [call for call in set(reactor.getDelayedCalls()) - before if call.active()]  # type: ignore[attr-defined]
    for call in left:
        call.cancel()
    assert not unhandled, unhandled
    assert not left, f"left in the reactor: {left}"


def _as_postgres(argv: list[str]) -> None:
    # PostgreSQL refuses to run as root.
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *argv], check=True, capture_output=True, cwd="/", timeout=60)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL 15 of the test run's own, on a free port of 127.0.0.1, with a migrated template database."""
    folder = Path("/tmp") / f"pg-{uuid.uuid4().hex[:12]}"
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, pwd.getpwnam("postgres").pw_uid)
    data, port = folder / "data", free_port()
    _as_postgres([str(PG_BIN / "initdb"), "-D", str(data), "-U", "suite", "--auth=trust", "--no-sync", "-E", "UTF8"])
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={folder} -c fsync=off"
    _as_postgres([str(PG_BIN / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"])
    url = f"postgresql+psycopg://suite@127.0.0.1:{port}"
    try:
        create_database(url, "base", "template1")
        store = Store(open_engine(f"{url}/base"))
        migrate(store)
        store.close()
        yield url
    finally:
        _as_postgres([str(PG_BIN / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def create_database(url: str, name: str, template: str) -> None:
    engine = open_engine(f"{url}/postgres")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    store = Store(open_engine(f"sqlite:///{tmp_path / 'suite.db'}"))
    migrate(store)
    yield store
    store.close()


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    create_database(postgres_url, name, "base")
    store = Store(open_engine(f"{postgres_url}/{name}", pool_size=16))
    yield store
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    """The same test on both databases, each freshly migrated and empty."""
    chosen: Store = request.getfixturevalue(f"{request.param}_store")
    return chosen
