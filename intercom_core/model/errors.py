"""One error family: a code for machines, a sentence for people, the field when there is one."""

from __future__ import annotations


class SuiteError(Exception):
    """Something the caller can act on. `code` is stable (kebab-case), `str()` is one sentence without secrets."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidValueError(SuiteError):
    """A value breaks a rule. `field` is the path of the input field, dotted, list positions as numbers."""

    code = "invalid"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ConflictError(SuiteError):
    """The request is well formed, but the present state forbids it."""

    code = "conflict"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotFoundError(SuiteError):
    """No such object, or not the caller's: the two are never told apart."""

    code = "not-found"


class PoolExhaustedError(SuiteError):
    """No SIP number is free in the pool, nor out of quarantine."""

    code = "pool-exhausted"
