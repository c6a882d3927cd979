"""Secrets never reach a log: by the name of a field, and by the shape of a text."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

MASK = "***"
_SECRET_NAMES = re.compile(
    r"pass(word|wd)?$|pwd|secret|token|authorization|cookie|ha1|nonce|^response$|^key$|_key$|credential", re.IGNORECASE
)
_SECRET_TEXTS = (
    (re.compile(r"(/d/)[A-Za-z0-9_-]{16,}"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b((?:[A-Za-z0-9_.]*\.)?(?:Pwd|Password)\s*=\s*)[^\r\n]+"), rf"\1{MASK}"),
    (re.compile(r"""(?i)(["']\w*(?:password|pwd|secret|token)["']\s*:\s*)(["'])(?:\\.|(?!\2).)*\2"""), rf'\1"{MASK}"'),
    (re.compile(r'(?i)\b((?:response|nonce|cnonce)=)"[^"]*"?'), rf'\1"{MASK}"'),
    (re.compile(r"(?i)\b(Bearer|Basic|Digest)\s+[^\r\n]+"), rf"\1 {MASK}"),
    (re.compile(r"(://[^/:@\s]*:)[^@/\s]+@"), rf"\1{MASK}@"),
)


def scrub_text(text: str) -> str:
    """Masks device URL tokens, Autop and JSON passwords, digest fields, authorization values, passwords in URLs."""
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def scrub(value: Any, name: str = "") -> Any:
    """The value without secrets; containers are copied."""
    if name and _SECRET_NAMES.search(name) and value not in (None, "", False, True):
        return MASK
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, bytes):
        return scrub_text(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, dict):
        return {key: scrub(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(item) for item in value]
    return value


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: runs last before rendering, so tracebacks are covered too."""
    for key, value in event.items():
        event[key] = scrub(value, key)
    return event
