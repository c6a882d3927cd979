"""Every key there is, with its default and its rule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from intercom_core.config.fields import (
    Address,
    Certificate,
    CertificateFiles,
    DatabaseUrl,
    Domain,
    LaterAddress,
    Listen,
    OptionalFile,
    Range,
    Words,
)
from intercom_core.model.numbers import NumberRange

# Devices keep 127 characters of a URL, and the longest one ends in `/d/<token of 32>/contacts.xml`.
PROVISIONING_URL_LIMIT = 79


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)


class DatabaseSettings(Section):
    """`url` empty: SQLite in the data directory."""

    url: DatabaseUrl = ""


class SipdSettings(Section):
    """`domain` is the host in every SIP address, and what devices get as their SIP server.

    `digest_algorithms` are those that challenges name, in that order; credentials with any of them are taken.
    `tls_certificate` serves clients that ask for no name in `tls_extra`.
    """

    domain: Domain = "localhost"
    udp: Address = Listen("0.0.0.0", 5060)
    tcp: Address = None
    tls: Address = None
    tls_certificate: OptionalFile = None
    tls_key: OptionalFile = None
    tls_extra: Annotated[tuple[Certificate, ...], Words] = ()
    tls_client_ca: OptionalFile = None
    max_connections: int = Field(default=20_000, ge=1, le=1_000_000)
    max_connections_per_source: int = Field(default=1_000, ge=1, le=1_000_000)
    default_expires_seconds: int = Field(default=300, ge=30, le=86_400)
    min_expires_seconds: int = Field(default=60, ge=1, le=86_400)
    max_expires_seconds: int = Field(default=3600, ge=30, le=604_800)
    durability: Literal["durable", "memory"] = "durable"
    digest_algorithms: Annotated[tuple[Literal["MD5", "SHA-256"], ...], Words, Field(min_length=1, max_length=2)] = (
        "MD5",
    )

    @model_validator(mode="after")
    def _ordered(self) -> SipdSettings:
        if not self.min_expires_seconds <= self.default_expires_seconds <= self.max_expires_seconds:
            raise ValueError("min_expires_seconds, default_expires_seconds and max_expires_seconds must ascend")
        return self

    @model_validator(mode="after")
    def _has_certificate(self) -> SipdSettings:
        if self.tls is not None and (self.tls_certificate is None or self.tls_key is None):
            raise ValueError("tls needs tls_certificate and tls_key")
        return self

    @property
    def tls_files(self) -> tuple[CertificateFiles, ...]:
        """The default first; empty when there is none."""
        if self.tls_certificate is None or self.tls_key is None:
            return ()
        return (CertificateFiles(self.tls_certificate, self.tls_key), *self.tls_extra)


class ProvisiondSettings(Section):
    """`public_url` is how devices reach `http` from outside; empty: http://<sipd.domain>:<port>."""

    http: Address = Listen("0.0.0.0", 8080)
    https: LaterAddress = None
    tftp: LaterAddress = None
    pnp: LaterAddress = None
    ssh: LaterAddress = None
    public_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$")
    claim_window_hours: int = Field(default=72, ge=1, le=8760)


class AdminApiSettings(Section):
    http: Address = Listen("127.0.0.1", 8000)


class MetricsSettings(Section):
    sipd: Address = Listen("127.0.0.1", 9101)
    provisiond: Address = Listen("127.0.0.1", 9102)
    admin_api: Address = Listen("127.0.0.1", 9103)


class NumberSettings(Section):
    """The number plan: numbers of apartments (family) and of residents and devices (personal)."""

    family: Range = NumberRange(5926000001, 5926099999)
    personal: Range = NumberRange(5926100001, 5926999999)
    quarantine_days: int = Field(default=90, ge=0, le=3650)

    @model_validator(mode="after")
    def _apart(self) -> NumberSettings:
        if self.family.overlaps(self.personal):
            raise ValueError("the pools family and personal overlap")
        return self


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class Settings(Section):
    data_dir: Path = Path("var")
    database: DatabaseSettings = DatabaseSettings()
    sipd: SipdSettings = SipdSettings()
    provisiond: ProvisiondSettings = ProvisiondSettings()
    admin_api: AdminApiSettings = AdminApiSettings()
    metrics: MetricsSettings = MetricsSettings()
    numbers: NumberSettings = NumberSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _fits_devices(self) -> Settings:
        found = len(self.provisioning_url)
        if found > PROVISIONING_URL_LIMIT:
            raise ValueError(
                f"provisiond.public_url: devices take at most {PROVISIONING_URL_LIMIT} characters, not {found}"
                + ("" if self.provisiond.public_url else " (made of sipd.domain)")
            )
        return self

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.data_dir / 'suite.db'}"

    @property
    def provisioning_url(self) -> str:
        """What devices' URLs start with, without a final slash."""
        if self.provisiond.public_url:
            return self.provisiond.public_url.rstrip("/")
        port = self.provisiond.http.port if self.provisiond.http else 80
        host = f"[{self.sipd.domain}]" if ":" in self.sipd.domain else self.sipd.domain
        return f"http://{host}:{port}"
