"""Projects (communities and offices) and the settings that reach devices (guide §5)."""

from __future__ import annotations

from enum import StrEnum


class ProjectKind(StrEnum):
    COMMUNITY = "community"
    OFFICE = "office"


class FeaturePlan(StrEnum):
    BASIC = "basic"
    PREMIUM = "premium"


class TimeFormat(StrEnum):
    H12 = "12h"
    H24 = "24h"


class DateFormat(StrEnum):
    YMD = "Y-M-D"
    MDY = "M-D-Y"
    DMY = "D-M-Y"


class PinMode(StrEnum):
    PIN = "pin"
    APARTMENT_AND_PIN = "apt+pin"


class ChargeMode(StrEnum):
    INSTALLER = "installer"
    PROPERTY_MANAGER = "property_manager"


class Language(StrEnum):
    """Languages of mails and screens (guide §6.1.1)."""

    ENGLISH = "en"
    SIMPLIFIED_CHINESE = "zh"
    KOREAN = "ko"
    JAPANESE = "ja"
    TURKISH = "tr"
    POLISH = "pl"
    RUSSIAN = "ru"
    SPANISH = "es"
    BOSNIAN = "bs"
    DANISH = "da"
    VIETNAMESE = "vi"
    FRENCH = "fr"


class CallType(StrEnum):
    """Who rings for an apartment, by the codes of the import template (guide §6.1.2)."""

    APP_AND_MONITOR = "0"
    PHONE_AND_MONITOR = "1"
    APP_AND_MONITOR_THEN_PHONE = "2"
    MONITOR_THEN_APP = "3"
    MONITOR_THEN_PHONE = "4"
    MONITOR_THEN_APP_THEN_PHONE = "5"
