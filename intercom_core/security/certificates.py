"""Certificates of TLS listeners, from PEM files: one for every name, by SNI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from intercom_core.config.fields import CertificateFiles
from intercom_core.model.errors import SuiteError

# TLS 1.2; those of TLS 1.3 are all good.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
# Resumed sessions keep their client certificate, so they are tied to this.
_SESSION_CONTEXT = b"intercom-suite"


class CertificateError(SuiteError):
    code = "certificate"


class ServerCertificates:
    """TLS 1.2 and 1.3 contexts over the files as they are now. Raises CertificateError.

    Files with the same names share a context: that is how a name gets an ECDSA and an RSA certificate. The first one
    serves clients that name nobody known. With `client_ca` clients need a certificate of one of the authorities in it.
    Sessions are resumed by tickets; nothing is kept per session.
    """

    def __init__(self, files: Sequence[CertificateFiles], client_ca: Path | None = None) -> None:
        self._contexts: dict[frozenset[str], SSL.Context] = {}
        ends: list[datetime] = []
        for pair in files:
            leaf = _checked_leaf(pair)
            names = frozenset(_names(leaf)) or frozenset({str(pair.certificate)})
            context = self._contexts.get(names) or self._new_context(client_ca)
            _use(context, pair)
            self._contexts[names] = context
            ends.append(leaf.not_valid_after_utc)
        self._by_name = {name: context for names, context in reversed(self._contexts.items()) for name in names}
        self.default = next(iter(self._contexts.values()))
        self.expires_at = min(ends)

    def _new_context(self, client_ca: Path | None) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(_OPTIONS)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(_CIPHERS)
        context.set_session_id(_SESSION_CONTEXT)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_tlsext_servername_callback(self._choose)
        if client_ca is not None:
            _require_client_certificates(context, client_ca)
        return context

    def _choose(self, connection: SSL.Connection) -> None:
        connection.set_context(self.context_for((connection.get_servername() or b"").decode("ascii", "replace")))

    def context_for(self, name: str) -> SSL.Context:
        """The context of a host name: its own, that of its wildcard, or the default."""
        name = name.lower().rstrip(".")
        return self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2]) or self.default


def _checked_leaf(pair: CertificateFiles) -> x509.Certificate:
    """The server's certificate, after all that can be wrong with the two files was told in words."""
    certificate, key = _read(pair.certificate), _read(pair.key)
    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0]
    except ValueError:
        raise CertificateError(f"{pair.certificate} holds no PEM certificate") from None
    try:
        public = load_pem_private_key(key, None).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{pair.key} holds no PEM private key") from None
    except TypeError:
        raise CertificateError(f"{pair.key} is encrypted: store it without a password") from None
    if public != leaf.public_key():
        raise CertificateError(f"{pair.key} is not the key of {pair.certificate}")
    return leaf


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from None


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]


def _use(context: SSL.Context, pair: CertificateFiles) -> None:
    try:
        context.use_certificate_chain_file(str(pair.certificate))
        context.use_privatekey_file(str(pair.key))
        context.check_privatekey()
    except SSL.Error as error:
        raise CertificateError(f"{pair.certificate} can't be used: {_reason(error)}") from None


def _require_client_certificates(context: SSL.Context, client_ca: Path) -> None:
    _read(client_ca)
    try:
        context.load_verify_locations(str(client_ca))
        context.load_client_ca(str(client_ca).encode())
    except SSL.Error:
        raise CertificateError(f"{client_ca} holds no PEM certificate") from None
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


def _reason(error: SSL.Error) -> str:
    """OpenSSL's own word for it."""
    queue = error.args[0] if error.args else ()
    return str(queue[-1][2]) if queue else "unknown"
