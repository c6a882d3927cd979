"""Checks of single values. Each takes what a person typed and returns the stored form, or raises InvalidValueError."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from zoneinfo import available_timezones

from intercom_core.model.errors import InvalidValueError

NAME_LIMIT = 64
BUILDING_LIMIT = 128
TEXT_LIMIT = 255
COMMAND_LIMIT = 1024
PASSWORD_MIN = 10
PASSWORD_MAX = 128

_MAC_SEPARATORS = str.maketrans("", "", ":-. ")
_MAC = re.compile(r"[0-9A-Fa-f]{12}", re.ASCII)
_APARTMENT = re.compile(r"[0-9]{1,6}", re.ASCII)
_DTMF = re.compile(r"[0-9*#]{1,4}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{2,63}", re.ASCII)
_PHONE = re.compile(r"\+?[0-9][0-9 ()/-]{2,30}", re.ASCII)
_COMMAND = re.compile(r"(Config(?:\.[A-Za-z0-9_]+){3,6}) = ?(.*)", re.ASCII)
# Line and paragraph separators break lines in some parsers although they are not control characters (category Cc).
_LINE_BREAKERS = "\u2028\u2029\u0085"
# A reset to factory state would cut the device off from its server: never send it (docs/protocol/autop.md).
_DENIED_KEYS = ("config.autoprovision.reset_factory.",)


def mac(field: str, text: str) -> str:
    """Twelve upper-case hex digits; separators `:`, `-`, `.` and blanks are dropped."""
    digits = text.translate(_MAC_SEPARATORS)
    if not _MAC.fullmatch(digits):
        raise InvalidValueError(field, "A MAC address has 12 hexadecimal digits, for example 0C11050B9814.")
    return digits.upper()


def apartment_number(field: str, text: str) -> str:
    """One to six digits, kept as text: leading zeros count (guide §6.1.1)."""
    if not _APARTMENT.fullmatch(text):
        raise InvalidValueError(field, "An APT number has 1 to 6 digits.")
    return text


def dtmf_code(field: str, text: str) -> str:
    """One to four of 0-9, * and # (guide §7.1.1)."""
    if not _DTMF.fullmatch(text):
        raise InvalidValueError(field, "A DTMF code is made of the characters 0-9, * and #, at most 4 of them.")
    return text


def line(field: str, text: str, limit: int, *, required: bool = True) -> str:
    """One line for people: trimmed, NFC, no control characters, at most `limit` characters."""
    folded = unicodedata.normalize("NFC", text).strip()
    if any(unicodedata.category(c) in ("Cc", "Cs") or c in _LINE_BREAKERS for c in folded):
        raise InvalidValueError(field, "Control characters and line breaks are not allowed here.")
    if required and not folded:
        raise InvalidValueError(field, "This must not be empty.")
    if len(folded) > limit:
        raise InvalidValueError(field, f"At most {limit} characters are allowed.")
    return folded


def name(field: str, text: str) -> str:
    return line(field, text, NAME_LIMIT)


def optional_line(field: str, text: str, limit: int = TEXT_LIMIT) -> str:
    return line(field, text, limit, required=False)


def email(field: str, text: str) -> str:
    """An address that a mail server can take, or an empty string."""
    folded = line(field, text, 254, required=False)
    if folded and not _EMAIL.fullmatch(folded):
        raise InvalidValueError(field, "This is not an e-mail address.")
    return folded


def phone(field: str, text: str) -> str:
    """A telephone number as dialled, or an empty string."""
    folded = line(field, text, 32, required=False)
    if folded and not _PHONE.fullmatch(folded):
        raise InvalidValueError(field, "A telephone number has digits, blanks and + ( ) / - only.")
    return folded


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    # Debian's folder of zones holds two more names that are not of the database: this machine's own zone, and "unset".
    return frozenset(available_timezones() - {"localtime", "Factory"})


def time_zone(field: str, text: str) -> str:
    """A name of the IANA time zone database."""
    if text not in _time_zones():
        raise InvalidValueError(field, "This is not an IANA time zone, for example Asia/Shanghai.")
    return text


def autop_command(field: str, text: str) -> str:
    """One Autop line `Config.Module.Section.Name = value`; denied keys are refused by name."""
    folded = line(field, text, COMMAND_LIMIT)
    match = _COMMAND.fullmatch(folded)
    if match is None:
        raise InvalidValueError(field, "An Autop command looks like: Config.Module.Section.Name = value")
    key, value = match.groups()
    if key.lower().startswith(_DENIED_KEYS):
        raise InvalidValueError(field, f"The key {key} is not allowed: it would cut the device off from this server.")
    stored = f"{key} = {value.strip()}"
    if len(stored) > COMMAND_LIMIT:
        raise InvalidValueError(field, f"At most {COMMAND_LIMIT} characters are allowed.")
    return stored


def login(field: str, text: str) -> str:
    """A login name: 3 to 64 of a-z, 0-9 and . _ - @ +, lower case."""
    folded = text.strip().lower()
    if not _LOGIN.fullmatch(folded):
        raise InvalidValueError(field, "A login has 3 to 64 characters: a-z, 0-9 and . _ - @ +")
    return folded


def password(field: str, text: str) -> str:
    """10 to 128 characters; taken as typed."""
    if not PASSWORD_MIN <= len(text) <= PASSWORD_MAX:
        raise InvalidValueError(field, f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.")
    return typed(field, text)


def typed(field: str, text: str) -> str:
    """Text that people can type, unchanged: no lone surrogates, which UTF-8 can't hold, and no NUL."""
    if any(c == "\0" or unicodedata.category(c) == "Cs" for c in text):
        raise InvalidValueError(field, "This is not valid text.")
    return text
