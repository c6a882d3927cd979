"""Values of the configuration that are more than a string or a number: how they are written and checked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from intercom_core.model.errors import InvalidValueError
from intercom_core.model.numbers import NumberRange

_DRIVERS = ("sqlite", "postgresql", "postgresql+psycopg")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listen:
    """An IP address and port to listen on. Port 0 takes any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A PEM certificate with its chain, and its private key."""

    certificate: Path
    key: Path

    def __str__(self) -> str:
        return f"{self.certificate}:{self.key}"


def _certificate_files(value: Any) -> CertificateFiles:
    if isinstance(value, CertificateFiles):
        return value
    certificate, _, key = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not certificate or not key or ":" in key:
        raise ValueError('a certificate and its key look like "/etc/tls/a.crt:/etc/tls/a.key"')
    return CertificateFiles(Path(certificate), Path(key))


def _file(value: Any) -> Any:
    return None if value == "" else value


def _listen(value: Any) -> Listen | None:
    if value is None or isinstance(value, Listen):
        return value
    if not isinstance(value, str):
        raise ValueError('an address looks like "127.0.0.1:8080"; "" switches it off')
    if not value:
        return None
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not _is_ip(host) or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError(f'"{value}" is not an address like "127.0.0.1:8080" or "[::1]:8080"')
    return Listen(host, int(port))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _number_range(value: Any) -> NumberRange:
    if isinstance(value, NumberRange):
        return value
    try:
        return NumberRange.parse("", str(value))
    except InvalidValueError as error:
        raise ValueError(error.message) from None


def _words(value: Any) -> Any:
    """A list, or in the environment its words with commas between."""
    if not isinstance(value, str):
        return value
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _later(value: Listen | None) -> Listen | None:
    if value is not None:
        raise ValueError("this version does not serve it yet: leave it empty")
    return value


def _domain(value: str) -> str:
    if not value or len(value) > 253 or any(c.isspace() or c in "/@;?\"'<>" for c in value):
        raise ValueError("must be the host name or address that devices use for this server")
    return value


def _database_url(value: str) -> str:
    try:
        found = make_url(value) if value else None
    except (ArgumentError, ValueError):
        found = None
    if value and (found is None or found.drivername not in _DRIVERS or not found.database):
        raise ValueError('must be "", "sqlite:///<path>" or "postgresql://<user>:<password>@<host>/<database>"')
    return value


Address = Annotated[Listen | None, BeforeValidator(_listen)]
LaterAddress = Annotated[Listen | None, BeforeValidator(_listen), AfterValidator(_later)]
OptionalFile = Annotated[Path | None, BeforeValidator(_file)]
Certificate = Annotated[CertificateFiles, BeforeValidator(_certificate_files)]
Range = Annotated[NumberRange, BeforeValidator(_number_range)]
Domain = Annotated[str, AfterValidator(_domain)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Words = BeforeValidator(_words)
