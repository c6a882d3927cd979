"""Opening and closing SIP accounts: a number from its pool, a random secret, sealed for those who need it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from admin_api.services import Work
from admin_api.usecases import journal
from intercom_core.changes.log import Entity
from intercom_core.model.numbers import NumberKind
from intercom_core.security.sip import ha1, ha1_context, new_secret, new_url_token, secret_context, token_context
from intercom_core.store import numbers
from intercom_core.store.schema import Apartment, Device, RegistrationStatus, Resident, SipAccount


def open_for(work: Work, owner: Device | Resident | Apartment) -> SipAccount:
    """Devices and residents get a personal number with credentials, apartments a family number without.

    Raises PoolExhaustedError.
    """
    kind = _kind(owner)
    number = numbers.allocate(work.session, kind.pool, work.now)
    account = SipAccount(number=number, kind=kind, project_id=owner.project_id)
    setattr(account, f"{_owner_word(owner)}_id", owner.id)
    if kind is not NumberKind.FAMILY:
        secret = new_secret()
        credentials = ha1(number, work.services.sip_realm, secret)
        account.sealed_secret = work.services.provisioning_box.seal(secret.encode(), secret_context(number))
        account.sealed_ha1 = work.services.sip_box.seal(credentials.pack(), ha1_context(number))
    work.session.add(account)
    journal.created(work, Entity.SIP_ACCOUNT, account)
    return account


def close(work: Work, account: SipAccount) -> None:
    """Ends the account; its number rests in quarantine before anybody else may get it."""
    number = account.number
    journal.deleted(work, Entity.SIP_ACCOUNT, account)
    work.session.execute(delete(RegistrationStatus).where(RegistrationStatus.number == number))
    quarantine = timedelta(days=work.services.settings.numbers.quarantine_days)
    numbers.release(work.session, number, work.now, quarantine)


def sealed_url_token(work: Work, mac: str) -> bytes:
    """A new secret URL token for the device with this MAC. Nobody here ever sees it."""
    return work.services.provisioning_box.seal(new_url_token().encode(), token_context(mac))


def _kind(owner: Device | Resident | Apartment) -> NumberKind:
    if isinstance(owner, Apartment):
        return NumberKind.FAMILY
    return NumberKind.DEVICE if isinstance(owner, Device) else NumberKind.PERSONAL


def _owner_word(owner: Device | Resident | Apartment) -> str:
    return type(owner).__name__.lower()
