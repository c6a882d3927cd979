"""Key files under `<data_dir>/keys/`: one per purpose, so that sipd never holds what opens a password."""

from __future__ import annotations

import base64
import binascii
import os
from enum import StrEnum
from pathlib import Path

from intercom_core.model.errors import SuiteError
from intercom_core.security.box import KEY_BYTES, SealedBox


class KeyName(StrEnum):
    """PROVISIONING opens SIP passwords and device URL tokens; SIP opens HA1s and signs digest nonces."""

    PROVISIONING = "provisioning"
    SIP = "sip"


class KeyFileError(SuiteError):
    code = "key-file"


def _path(data_dir: Path, name: KeyName) -> Path:
    return data_dir / "keys" / f"{name}.key"


def create_missing_keys(data_dir: Path) -> None:
    """Creates key files that are not there (mode 0600) and leaves the others alone."""
    (data_dir / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in KeyName:
        path = _path(data_dir, name)
        if path.exists():
            continue
        # A crash must not leave an empty key file behind: write aside, then rename.
        aside = path.with_suffix(".new")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)


def load_key(data_dir: Path, name: KeyName) -> bytes:
    """The 32 bytes of a key file. Raises KeyFileError when it is missing or damaged."""
    path = _path(data_dir, name)
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise KeyFileError(f"The key file {path} can't be read: {error}") from error
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"The key file {path} must hold {KEY_BYTES} bytes in base64.")
    return key


def load_box(data_dir: Path, name: KeyName) -> SealedBox:
    return SealedBox(load_key(data_dir, name))
