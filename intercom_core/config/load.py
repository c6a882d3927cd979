"""Reading the configuration: file first, then `INTERCOM_<SECTION>__<KEY>` from the environment."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from intercom_core.config.settings import Settings
from intercom_core.model.errors import SuiteError

PREFIX = "INTERCOM_"
DEFAULT_FILE = Path("conf/suite.toml")


class ConfigError(SuiteError):
    """All that is wrong with the configuration; `problems` has one line each, starting with the dotted key."""

    code = "config"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("configuration: " + "; ".join(problems))
        self.problems = problems


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """`path` None: conf/suite.toml if there is one. A relative data_dir counts from the working directory."""
    chosen = path if path is not None else (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    merged = _read_file(chosen) if chosen else {}
    problems = _merge_environment(merged, environ)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError([_tell(dict(item)) for item in error.errors()] + problems) from None
    if problems:
        raise ConfigError(problems)
    return settings.model_copy(update={"data_dir": settings.data_dir.absolute()})


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: {error}"]) from None


def _merge_environment(merged: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    problems = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if not key:
            merged[section] = environ[name]
            continue
        table = merged.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = environ[name]
        else:
            problems.append(f"{section}: is a section, not a value")
    return problems


def _tell(item: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{path}: there is no such key"
    text: str = item["msg"].removeprefix("Value error, ")
    return f"{path}: {text}" if path else text  # a rule over several sections names the key itself
