"""Structured logs: one JSON object a line, or aligned text on a terminal. Also catches stdlib and Twisted logs."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog
from twisted.logger import STDLibLogObserver, globalLogBeginner

from intercom_core.telemetry.redaction import redact_event

Logger = structlog.stdlib.BoundLogger


def get(name: str) -> Logger:
    """A logger for one module. Events are snake_case words, details are keyword arguments."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def configure(role: str, *, stream: TextIO | None = None, level: str = "info", as_json: bool | None = None) -> None:
    """Sets up logging of this process. `as_json` None: JSON unless the stream is a terminal."""
    target = stream or sys.stdout
    structured = not target.isatty() if as_json is None else as_json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _add_role(role),
    ]
    renderer: Any = structlog.processors.JSONRenderer() if structured else structlog.dev.ConsoleRenderer(colors=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_event, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Twisted announces every start and stop of a port or factory at this level; our own events say it better.
    logging.getLogger("twisted").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def capture_twisted() -> None:
    """Sends Twisted's own log events (unhandled errors above all) the same way. Once a process."""
    globalLogBeginner.beginLoggingTo([STDLibLogObserver(name="twisted")], redirectStandardIO=False)


def _add_role(role: str) -> Any:
    def add(_logger: Any, _method: str, event: Any) -> Any:
        event["role"] = role
        return event

    return add
