"""What a caller of STOW-RS is told of what an application entity answered to C-STORE (routing-and-gateway 6.6)."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    Report,
    TransportFailed,
)

OUT_OF_RESOURCES, CLASS_NOT_SUPPORTED, PROCESSING_FAILURE = 0xA700, 0x0122, 0x0110
_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})
"""Statuses of category warning outside of Bxxx (PS3.7 annex C)."""


@dataclass(frozen=True, slots=True)
class StoreReason:
    """What stands in the response of a store request for one instance (PS3.18 10.5.3)."""

    failure_reason: int | None = None
    """None where it is stored."""
    warning_reason: int | None = None
    is_passing: bool = False
    """Another time it may be taken: where that holds for all, the service is unavailable and nothing is refused."""


def store_reason(report: Report) -> StoreReason:
    """Return what is told of one instance."""
    match report:
        case DimseAnswered(0):
            return StoreReason()
        case DimseAnswered(status) if status in _WARNINGS or status >> 12 == 0xB:
            return StoreReason(warning_reason=status)
        case DimseAnswered(status) if status >> 8 == OUT_OF_RESOURCES >> 8:
            return StoreReason(OUT_OF_RESOURCES, is_passing=True)
        case DimseAnswered(status):
            return StoreReason(status)
        case ContextRefused():
            return StoreReason(CLASS_NOT_SUPPORTED)
        case AssociationRejected() | AssociationAborted() | TransportFailed():
            return StoreReason(OUT_OF_RESOURCES, is_passing=True)
        case _:
            return StoreReason(PROCESSING_FAILURE)
