"""Wires the services of a running installation."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry
from sqlalchemy import select

from admin_api.auth.passwords import Passwords
from admin_api.auth.throttle import LoginThrottle
from admin_api.metrics import Metrics
from admin_api.services import Services
from intercom_core.config.settings import Settings
from intercom_core.model.errors import SuiteError
from intercom_core.security.keys import KeyName, load_box
from intercom_core.store.engine import Store
from intercom_core.store.schema import Installation, now_utc


def build(settings: Settings, store: Store, registry: CollectorRegistry) -> Services:
    """Raises SuiteError when key files or the installation row are missing."""
    with store.read() as session:
        realm = session.scalar(select(Installation.sip_realm))
    if realm is None:
        raise SuiteError("This database holds no installation yet: run intercom-suite migrate.")
    return Services(
        settings=settings,
        store=store,
        sip_realm=realm,
        provisioning_box=load_box(settings.data_dir, KeyName.PROVISIONING),
        sip_box=load_box(settings.data_dir, KeyName.SIP),
        passwords=Passwords(),
        throttle=LoginThrottle(time.monotonic),
        metrics=Metrics(registry),
        clock=now_utc,
    )
