"""Why a daemon can't start, in words."""

from __future__ import annotations

from twisted.internet.error import CannotListenError

from intercom_core.config.fields import Listen
from intercom_core.model.errors import SuiteError


def explain_start_failure(error: BaseException) -> str | None:
    """One line for people when the failure is theirs to mend; None when it is a bug of ours."""
    if isinstance(error, SuiteError):
        return error.message
    if isinstance(error, CannotListenError):
        host = f"[{error.interface}]" if error.interface and ":" in error.interface else error.interface or "*"
        return f"can't listen on {host}:{error.port}: {getattr(error.socketError, 'strerror', error.socketError)}"
    if isinstance(error, OSError):
        return f"{error.filename or 'start'}: {error.strerror or error}"
    return None


def cannot_listen(listen: Listen, error: OSError) -> Exception:
    failure: Exception = CannotListenError(listen.host, listen.port, error)  # type: ignore[no-untyped-call]
    return failure
