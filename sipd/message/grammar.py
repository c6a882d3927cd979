"""Pieces of the grammar that many header fields share (RFC 3261 §25.1): tokens, quoted strings, lists, parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sipd.message.errors import MalformedMessageError, Reason

Params = Mapping[str, str | None]
"""Parameter name in lower case -> value as written (quotes included), None for a parameter without value."""

WHITESPACE = " \t"
UINT32_MAX = 2**32 - 1

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
QUOTED = r'"(?:[^"\\]|\\.)*"'
_PARAM_VALUE = re.compile(rf'{QUOTED}|[^\s",;<>=]+', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PIECES = {separator: re.compile(rf'(?:{QUOTED}|<[^<>]*>|[^{separator}"<])*', re.DOTALL) for separator in (",", ";")}


def is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Cut at `,` or `;` where it stands neither in a quoted string nor in `<...>`. Pieces keep their blanks."""
    if '"' not in text and "<" not in text:
        return text.split(separator)
    pattern = _PIECES[separator]
    pieces: list[str] = []
    position = 0
    while True:
        match = pattern.match(text, position)
        end = match.end() if match else position
        pieces.append(text[position:end])
        if end == len(text):
            return pieces
        if text[end] != separator:
            raise MalformedMessageError(Reason.QUOTING)
        position = end + 1


def unquote(text: str) -> str:
    """The content of a quoted string with its escapes undone; any other text as it is."""
    if len(text) >= 2 and text[0] == '"' == text[-1]:
        inner = text[1:-1]
        return _ESCAPE.sub(r"\1", inner) if "\\" in inner else inner
    return text


def quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_params(text: str) -> Params:
    """`;name=value;flag` -> Params. A name may appear once only (§7.3.1)."""
    if not text:
        return {}
    pieces = split_outside_quotes(text, ";")
    if pieces[0].strip(WHITESPACE):
        raise MalformedMessageError(Reason.PARAMETER)
    params: dict[str, str | None] = {}
    for piece in pieces[1:]:
        written, equals, value = piece.partition("=")
        written = written.strip(WHITESPACE)
        name = written.lower()
        value = value.strip(WHITESPACE)
        if name in params or not is_token(written) or (equals and not _PARAM_VALUE.fullmatch(value)):
            raise MalformedMessageError(Reason.PARAMETER)
        params[name] = value if equals else None
    return params


def format_params(params: Params) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())


def parse_seconds(text: str) -> int:
    """Delta-seconds; values that overflow 32 bits count as 2^32-1 (§20.19)."""
    if not (text.isascii() and text.isdigit()):
        raise MalformedMessageError(Reason.NUMBER)
    digits = text.lstrip("0")
    return UINT32_MAX if len(digits) > 10 else min(int(digits or "0"), UINT32_MAX)


def parse_port(text: str | None) -> int | None:
    """1-65535, or None for no port."""
    if text is None:
        return None
    port = int(text)
    if not 1 <= port <= 65535:
        raise MalformedMessageError(Reason.NUMBER)
    return port
