from __future__ import annotations

import pytest

from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    LocalFailed,
    LocalFault,
    Report,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.translation.store_reason import StoreReason, store_reason


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (DimseAnswered(0x0000), StoreReason()),
        (DimseAnswered(0xB000), StoreReason(warning_reason=0xB000)),
        (DimseAnswered(0xB007), StoreReason(warning_reason=0xB007)),
        (DimseAnswered(0x0107), StoreReason(warning_reason=0x0107)),
        (DimseAnswered(0xA700), StoreReason(0xA700, is_passing=True)),
        (DimseAnswered(0xA702), StoreReason(0xA700, is_passing=True)),
        (DimseAnswered(0xA900), StoreReason(0xA900)),
        (DimseAnswered(0xC123), StoreReason(0xC123)),
        (DimseAnswered(0x0122), StoreReason(0x0122)),
        (DimseAnswered(0x0111), StoreReason(0x0111)),
        (ContextRefused(3), StoreReason(0x0122)),
        (AssociationRejected(1, 1, 7), StoreReason(0xA700, is_passing=True)),
        (AssociationAborted(2, 0), StoreReason(0xA700, is_passing=True)),
        (TransportFailed(TransportFault.CONNECTION_REFUSED), StoreReason(0xA700, is_passing=True)),
        (LocalFailed(LocalFault.CANNOT_TRANSCODE), StoreReason(0x0110)),
    ],
)
def test_what_an_ae_answers_is_told_as_what_a_store_response_says(report: Report, reason: StoreReason) -> None:
    assert store_reason(report) == reason
