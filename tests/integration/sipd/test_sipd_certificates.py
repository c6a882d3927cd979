"""Certificates from files, their replacement, and handshakes that don't end, in time that the test moves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from certificates import NAME, Authority
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from prometheus_client import CollectorRegistry
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from intercom_core.config.fields import CertificateFiles
from intercom_core.security.certificates import CertificateError, ServerCertificates
from sipd.transport.connections import Connections, StreamLimits
from sipd.transport.tls import WATCH_SECONDS, TlsMetrics, WatchedCertificates, tls_factory
from sipd.transport.udp import MessageMetrics


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def files(pair: tuple[str, str]) -> CertificateFiles:
    return CertificateFiles(Path(pair[0]), Path(pair[1]))


class Watched:
    """Certificates under a clock of the test's own."""

    def __init__(self, *pairs: CertificateFiles) -> None:
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.metrics = TlsMetrics(self.registry)
        self.certificates = WatchedCertificates(self.clock, pairs, None, self.metrics)
        self.certificates.start()

    def reloads(self, outcome: str) -> float:
        return self.registry.get_sample_value("intercom_sipd_tls_reloads_total", {"outcome": outcome}) or 0


def test_files_are_looked_at_and_only_a_change_counts(authority: Authority) -> None:
    pair = authority.issue("server")
    watched = Watched(files(pair))
    watched.clock.pump([WATCH_SECONDS] * 3)
    assert (watched.reloads("ok"), watched.reloads("failed")) == (0, 0)
    fresh = authority.issue("fresh")
    os.replace(fresh[0], pair[0])
    watched.clock.pump([WATCH_SECONDS] * 3)
    assert (watched.reloads("ok"), watched.reloads("failed")) == (0, 1), "the key is still the old one"
    os.replace(fresh[1], pair[1])
    watched.clock.pump([WATCH_SECONDS] * 3)
    assert (watched.reloads("ok"), watched.reloads("failed")) == (1, 1)
    watched.certificates.stop()
    assert watched.clock.getDelayedCalls() == []


def test_the_end_of_the_first_certificate_is_a_metric(authority: Authority) -> None:
    watched = Watched(files(authority.issue("server")), files(authority.issue("other", "other.test")))
    expires = watched.registry.get_sample_value("intercom_sipd_tls_certificate_expires_seconds")
    assert expires == ServerCertificates([files(authority.issue("third"))]).expires_at.timestamp()
    watched.certificates.stop()


def test_names_find_their_certificate(authority: Authority) -> None:
    default, other = files(authority.issue("server")), files(authority.issue("other", "a.test", "*.a.test"))
    found = ServerCertificates([default, other])
    assert found.context_for("A.test.") is found.context_for("b.a.test") is not found.default
    for name in (NAME, "", "test", "c.b.a.test", "unknown.test"):
        assert found.context_for(name) is found.default


def test_what_can_not_be_used_is_told(authority: Authority, tmp_path: Path) -> None:
    good = files(authority.issue("server"))
    encrypted, text = tmp_path / "encrypted.key", tmp_path / "text"
    text.write_text("nonsense")
    key = ec.generate_private_key(ec.SECP256R1())
    encrypted.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    for pair, client_ca, told in (
        (CertificateFiles(text, good.key), None, "holds no PEM certificate"),
        (CertificateFiles(good.certificate, text), None, "holds no PEM private key"),
        (CertificateFiles(good.certificate, encrypted), None, "is encrypted"),
        (CertificateFiles(good.certificate, tmp_path / "absent"), None, "No such file"),
        (good, text, "holds no PEM certificate"),
        (good, tmp_path / "absent", "No such file"),
    ):
        with pytest.raises(CertificateError, match=told):
            ServerCertificates([pair], client_ca)


class _Wire(StringTransport):
    def abortConnection(self) -> None:
        super().abortConnection()
        self.protocol.connectionLost(Failure(ConnectionAborted()))


def test_a_handshake_has_ten_seconds(authority: Authority) -> None:
    watched = Watched(files(authority.issue("server")))
    clock, registry = watched.clock, watched.registry
    connections = Connections(clock, StreamLimits(), registry)
    handler: Any = _Nobody()
    factory = tls_factory(connections, handler, MessageMetrics(registry), watched.certificates, watched.metrics)
    peer = IPv4Address("TCP", "203.0.113.7", 40000)
    protocol, wire = factory.buildProtocol(peer), _Wire(peerAddress=peer)
    wire.protocol = protocol
    protocol.makeConnection(wire)
    clock.pump([1] * 9)
    assert len(connections) == 1
    clock.pump([1] * 2)
    assert len(connections) == 0
    labels = {"transport": "tls", "reason": "handshake"}
    assert registry.get_sample_value("intercom_sipd_connections_ended_total", labels) == 1
    assert registry.get_sample_value("intercom_sipd_tls_handshakes_total", {"outcome": "timeout"}) == 1
    watched.certificates.stop()
    clock.advance(2)
    assert clock.getDelayedCalls() == []


class _Nobody:
    """No message comes through a handshake that does not end."""

    def on_connection_lost(self, *_: object) -> None:
        pass
