"""Gateways as values: DICOMweb roots of the node that answer from an archive that speaks only DIMSE."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.application_entity import AeAddress


@dataclass(frozen=True, slots=True)
class Gateway:
    """A DICOMweb root, `/gateways/NAME`, whose archive is another application entity."""

    name: str
    upstream: str
    """Name of the destination, of kind dimse, that it asks."""
    listen: AeAddress | None = None
    """Where the archive moves instances to; None where it is to send them by C-GET."""
    prefers_move: bool = False
    """Whether it is asked to move though it offers C-GET."""
    keep_s: float = 3600.0
    """How long what was fetched is kept after it was last asked for."""
    description: str = ""
