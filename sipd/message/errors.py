"""What can be wrong with a message, as a bounded set of reasons that serves as a metrics label."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from intercom_core.model.errors import SuiteError

if TYPE_CHECKING:
    from sipd.message.headers import Headers


class Reason(StrEnum):
    TOO_LARGE = "too-large"
    NO_END_OF_HEADERS = "no-end-of-headers"
    LINE_BREAK = "line-break"
    START_LINE = "start-line"
    VERSION = "version"
    HEADER_SYNTAX = "header-syntax"
    HEADER_TOO_LONG = "header-too-long"
    TOO_MANY_HEADERS = "too-many-headers"
    MISSING_HEADER = "missing-header"
    DUPLICATE_HEADER = "duplicate-header"
    CONTENT_LENGTH = "content-length"
    VIA = "via"
    CSEQ = "cseq"
    CALL_ID = "call-id"
    URI = "uri"
    ADDRESS = "address"
    CONTACT = "contact"
    PARAMETER = "parameter"
    NUMBER = "number"
    CREDENTIALS = "credentials"
    QUOTING = "quoting"


class MalformedMessageError(SuiteError):
    """The only exception that reading a message raises.

    `request_headers` are there when the faulty message is a request whose headers could be told apart, so that
    it may be answered without state; else None.
    """

    code = "malformed-sip"

    def __init__(self, reason: Reason, request_headers: Headers | None = None) -> None:
        super().__init__(f"The SIP message is malformed: {reason.value}.")
        self.reason = reason
        self.request_headers = request_headers
