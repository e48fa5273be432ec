from __future__ import annotations

import pytest

from isocenter.dimse.message.statuses import StatusCategory, category_of


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (0x0000, StatusCategory.SUCCESS),
        (0x0001, StatusCategory.WARNING),
        (0x0107, StatusCategory.WARNING),
        (0x0116, StatusCategory.WARNING),
        (0x0110, StatusCategory.FAILURE),
        (0x0211, StatusCategory.FAILURE),
        (0xA700, StatusCategory.FAILURE),
        (0xB000, StatusCategory.WARNING),
        (0xBFFF, StatusCategory.WARNING),
        (0xC000, StatusCategory.FAILURE),
        (0xFE00, StatusCategory.CANCEL),
        (0xFF00, StatusCategory.PENDING),
        (0xFF01, StatusCategory.PENDING),
        (0xFF02, StatusCategory.FAILURE),
        (0x9999, StatusCategory.FAILURE),
    ],
)
def test_status_has_the_category_of_the_standard(status: int, category: StatusCategory) -> None:
    assert category_of(status) is category
