"""An authority of the test's own, and what it signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from OpenSSL import crypto
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS

NAME = "suite.test"

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Writes files into `folder`. `path` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name("Test authority")
        self._certificate = self._sign(self._subject, self._key.public_key(), authority=True)
        self.path = folder / "authority.crt"
        self.path.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def _sign(self, subject: x509.Name, key: PublicKey, *names: str, authority: bool = False) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(self._subject, subject, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, file: str, *names: str, kind: str = "ecdsa") -> tuple[str, str]:
        """Paths of a certificate with its chain, and of its key; written over what was there."""
        key = ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
        leaf = self._sign(_name(file), key.public_key(), *(names or (NAME,)))
        paths = self._folder / f"{file}.crt", self._folder / f"{file}.key"
        paths[0].write_bytes(leaf.public_bytes(Encoding.PEM) + self._certificate.public_bytes(Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return str(paths[0]), str(paths[1])

    def settings(self, file: str = "server", **more: object) -> dict[str, object]:
        """Of `[sipd]`: a TLS listener with a new certificate."""
        certificate, key = self.issue(file)
        return {"tls": "127.0.0.1:0", "tls_certificate": certificate, "tls_key": key, **more}

    def client(self, files: tuple[str, str] | None = None) -> object:
        """A client's side of TLS that trusts this authority, with a certificate of its own if wanted."""
        trusted = Certificate(crypto.X509.from_cryptography(self._certificate))
        own = None
        if files:
            own = PrivateCertificate.loadPEM(Path(files[0]).read_bytes() + Path(files[1]).read_bytes())
        return optionsForClientTLS(NAME, trusted, own)
