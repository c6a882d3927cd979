"""The one gate between values and lines: nothing that could end a line or break a parser gets through."""

from __future__ import annotations

import re
from typing import Any

# Control characters, line and paragraph separators, lone surrogates, and the non-characters that XML forbids.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


def clean(value: str) -> str:
    """`value` on one line: each run of forbidden characters becomes one blank."""
    return _FORBIDDEN.sub(" ", value)


def finalize(value: Any) -> str:
    """Jinja2 passes the value of every `{{ expression }}` through here, so no template can forget it."""
    return clean(str(value))
