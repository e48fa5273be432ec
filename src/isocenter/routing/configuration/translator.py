"""Translators as values: application entities of the node that answer from a DICOMweb service."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.application_entity import AeAddress

FETCHES_MAX = 16
"""Instances that are fetched at a time for one retrieval; services limit what one caller may have in hand."""
MATCHES_HIGHEST = 1_000_000
"""Of one search; a workstation that is given more has no use for it."""


@dataclass(frozen=True, slots=True)
class Translator:
    """A listener for associations whose archive is a DICOMweb service."""

    name: str
    listen: AeAddress
    upstream: str
    """Name of the destination, of kind dicomweb, that it asks."""
    callers: tuple[str, ...] = ()
    """Titles of remote AEs that may use it; none: all that the node lets in."""
    move_to: tuple[str, ...] = ()
    """Titles of remote AEs to which instances may be moved; none: all that the node knows."""
    matches_max: int = 10_000
    """A search that finds more ends with status A700, behind as many answers."""
    fetches: int = 4
    """Instances that are fetched ahead of those that are being sent (routing-and-gateway 6.2)."""
    answers_duplicates: bool = False
    """An instance that the service holds already is answered with 0111, else as stored."""
    uses_tls: bool = False
    """Whether TLS is spoken there, as the node's settings say."""
    is_started: bool = True
    """Whether it runs from the start of the node on."""
    description: str = ""
