"""Autop files as a device reads them: `Config.A.B.C = value`, one setting a line."""

from __future__ import annotations

import re

_SETTING = re.compile(r"(Config(?:\.[A-Za-z0-9_]+)+)[ \t]*=[ \t]*(.*)", re.ASCII)


def parse(text: str) -> dict[str, str]:
    """Settings by key, the last one of a key wins; comments (`#`, `;`), blank and unreadable lines are skipped.

    Only LF and CR LF end a line, and a `#` inside a value belongs to the value: it is a usual DTMF code.
    """
    settings: dict[str, str] = {}
    for line in text.split("\n"):
        match = _SETTING.fullmatch(line.strip(" \t\r"))
        if match:
            settings[match[1]] = match[2]
    return settings
