"""Refusals that only an API knows; the rest of the family is in `intercom_core.model.errors`."""

from __future__ import annotations

from intercom_core.model.errors import SuiteError


class UnauthenticatedError(SuiteError):
    """No valid session, or a wrong login or password. The cases are never told apart."""

    code = "unauthenticated"


class ForbiddenError(SuiteError):
    """The caller's role does not grant this, whatever the object."""

    code = "forbidden"


class ThrottledError(SuiteError):
    """Too many attempts. `retry_after_seconds` says when the next one counts."""

    code = "throttled"

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BusyError(SuiteError):
    """The machine has all the work it takes at once; the same request may succeed in a moment."""

    code = "busy"
