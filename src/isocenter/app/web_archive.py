"""A DICOMweb service as a command names it. Light: what talks to it is loaded when it is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WebArchive:
    """A DICOMweb service, and what it is shown."""

    url: str
    token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    """The application as which to ask for a token; None with a token, and where none is needed."""
    client_secret: str = field(default="", repr=False)
    authority: str | None = None
    """Where tokens come from; None where the service itself gives them."""
    authorities: Path | None = None
    """Certificates of those who vouch for it, besides those that the system trusts."""

    def __str__(self) -> str:
        return self.url
