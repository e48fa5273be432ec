"""Secrets by name: what a configuration refers to is in the environment, or in a file that nobody else may read.

`cloud-password` is the variable ISOCENTER_SECRET_CLOUD_PASSWORD, else the file `secrets/cloud-password` of the data
folder.
"""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from isocenter.app.settings_table import SECRET_PREFIX
from isocenter.domain.errors import InvalidSetting

SECRETS_FOLDER = "secrets"
SECRET_SIZE_MAX_BYTES = 16 * 1024
"""Longer than any password, key or token that fits into a header."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

ReadSecret = Callable[[str], str]
"""Gives a secret by its name; raises InvalidSetting where there is none."""


def variable_of(name: str) -> str:
    """Return the environment variable that may hold a secret."""
    return SECRET_PREFIX + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


class SecretsByName:
    """Give secrets by name."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str]) -> None:
        self._folder = data_dir / SECRETS_FOLDER
        self._environment = environment

    def read(self, name: str) -> str:
        """Return a secret, without the end of its line; raises InvalidSetting where there is none."""
        if _NAME.fullmatch(name) is None:
            raise InvalidSetting("A secret is named by letters, digits, -, _ and ., up to 64 of them.")
        secret = self._environment.get(variable_of(name)) or self._from_file(name)
        if not secret or len(secret) > SECRET_SIZE_MAX_BYTES or not secret.isprintable():
            raise InvalidSetting(
                f"There is no secret {name}: set {variable_of(name)}, or put it into the file {self._folder / name}."
            )
        return secret

    def _from_file(self, name: str) -> str:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                mode = path.stat().st_mode
                content = file.read(SECRET_SIZE_MAX_BYTES + 1).decode("utf-8").rstrip("\r\n")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSetting(f"The secret {name} in {path} cannot be read: {type(error).__name__}.") from error
        if sys.platform != "win32" and stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidSetting(f"Others may read the secret in {path}; run `chmod 600` on it.")
        return content
