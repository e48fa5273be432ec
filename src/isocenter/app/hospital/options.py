"""What one may choose of a hospital: its PACS, its ports, its first images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from isocenter.app.hospital.reach import PacsKind

DEFAULT_FOLDER = "demo-data"
"""Below where the command is given."""


class PortName(StrEnum):
    """What listens."""

    FRONT = "front"
    PACS = "pacs"
    PACS_WEB = "pacs-web"
    QIETOAZURE = "qietoazure"
    QIEROUTER = "qierouter"
    ROUTER_WEB = "router-web"
    CLOUD = "cloud"


DEFAULT_PORTS: Mapping[PortName, int] = {
    PortName.FRONT: 8040,
    PortName.PACS: 4242,
    PortName.PACS_WEB: 8042,
    PortName.QIETOAZURE: 4006,
    PortName.QIEROUTER: 4007,
    PortName.ROUTER_WEB: 8041,
    PortName.CLOUD: 8080,
}
"""Those of the story (routing-and-gateway 2.1, 2.2)."""
ANY_PORT = 0


@dataclass(frozen=True, slots=True)
class HospitalOptions:
    """What one may choose."""

    pacs: PacsKind = PacsKind.ISOCENTER
    ports: Mapping[PortName, int] = field(default_factory=dict)
    """Where a part is to listen instead of where it usually does; 0 for any free port."""
    is_filled: bool = True
    """Whether the first images are taken in by itself: the recent studies in the PACS, some others in the cloud."""

    samples: Path | None = None
    """A folder of DICOM files that the cloud takes in as well."""

    @classmethod
    def for_a_check(cls, pacs: PacsKind = PacsKind.ISOCENTER) -> HospitalOptions:
        """Return the options of an empty hospital on free ports, beside whatever runs."""
        return cls(pacs, dict.fromkeys(PortName, ANY_PORT), is_filled=False)
