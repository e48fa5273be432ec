"""What lies where in the folder of a hospital, and what of it is made once and kept."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from isocenter.app.hospital.control import Part
from isocenter.app.hospital.reach import OWNER_ONLY, Person
from isocenter.app.secrets_by_name import SECRETS_FOLDER
from isocenter.domain.errors import InvalidSetting

PERSON = "demo"
CLOUD_SECRET = "cloud-client-secret"  # noqa: S105 - its name
PASSWORD_SIZE_BYTES = 12
SECRET_SIZE_BYTES = 32
LOG_SIZE_MAX_BYTES = 16 * 1024**2
"""A log that is longer at a start is put aside, and the one put aside before goes."""
_FOLDER_MODE = 0o700
_ACCOUNTS_FILE = "accounts-of-demo"
"""In the data folder of a part: it goes with the accounts where somebody removes that."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What was drawn at the first start, and holds for all later ones."""

    person: Person
    tenant_id: str
    client_id: str
    client_secret: str

    @property
    def digest(self) -> str:
        """Return what tells one from another without telling a secret."""
        kept = (self.person.name, self.person.password, self.tenant_id, self.client_id, self.client_secret)
        return hashlib.sha256("\n".join(kept).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class HospitalFolder:
    """The folder."""

    path: Path

    @property
    def logs(self) -> Path:
        """Return the folder of what the parts have to say."""
        return self.path / "logs"

    @property
    def password_file(self) -> Path:
        """Return the file of the password."""
        return self.path / "password"

    @property
    def secret_file(self) -> Path:
        """Return the file of the secret by which the router gets tokens of the cloud."""
        return self.of(Part.ROUTER) / SECRETS_FOLDER / CLOUD_SECRET

    @property
    def channels_file(self) -> Path:
        """Return what the router routes by."""
        return self.of(Part.ROUTER) / "channels.toml"

    def of(self, part: Part) -> Path:
        """Return the data folder of a part."""
        return self.path / part.value

    def prepare(self) -> None:
        """Make the folders, which nobody else may look into; raises InvalidSetting where that cannot be."""
        try:
            for folder in (self.path, self.logs, *(self.of(part) for part in Part), self.secret_file.parent):
                folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            for log in self.logs.glob("*.log"):
                if log.stat().st_size > LOG_SIZE_MAX_BYTES:
                    log.replace(log.with_suffix(".old"))
        except OSError as error:
            raise InvalidSetting(f"{error.filename} cannot be used: {error.strerror}.") from error

    def installation(self) -> Installation:
        """Return what was drawn at the first start; draws it where that has not been."""
        password = _kept(self.password_file, secrets.token_urlsafe(PASSWORD_SIZE_BYTES))
        secret = _kept(self.secret_file, secrets.token_urlsafe(SECRET_SIZE_BYTES))
        tenant_id = _kept(self.path / "tenant-id", str(uuid4()))
        client_id = _kept(self.path / "client-id", str(uuid4()))
        return Installation(Person(PERSON, password), tenant_id, client_id, secret)

    def knows_accounts(self, part: Part, installed: Installation) -> bool:
        """Tell whether person and application were made known to a part already."""
        try:
            noted = (self.of(part) / _ACCOUNTS_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        return noted == installed.digest

    def note_accounts(self, part: Part, installed: Installation) -> None:
        """Keep that person and application were made known to a part."""
        (self.of(part) / _ACCOUNTS_FILE).write_text(installed.digest, encoding="utf-8")

    def remembered_ports(self) -> dict[str, int]:
        """Return where everything listened the last time."""
        try:
            found = json.loads((self.path / "ports.json").read_text(encoding="utf-8"))
            return {str(name): int(port) for name, port in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def remember_ports(self, ports: Mapping[str, int]) -> None:
        """Keep where everything listens."""
        (self.path / "ports.json").write_text(json.dumps(dict(ports), indent=1), encoding="utf-8")


def _kept(path: Path, drawn: str) -> str:
    """Return the line in a file; what was drawn is put there first where there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        kept = path.read_text(encoding="utf-8").strip()
        if not kept:
            raise InvalidSetting(f"{path} is empty; remove it, and the next start makes another one.") from None
        return kept
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{drawn}\n")
    return drawn
