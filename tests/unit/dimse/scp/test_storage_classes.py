"""Storage classes."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary

from isocenter.dimse.scp.storage_classes import is_storage_class

NOT_OF_A_PATIENT = frozenset(
    {
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage
        "1.2.840.10008.5.1.4.39.1",  # Color Palette Storage
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template Storage
        "1.2.840.10008.5.1.4.44.1",
        "1.2.840.10008.5.1.4.45.1",
    }
)
STORAGE_CLASSES = sorted(
    uid
    for uid, (name, kind, *_) in UID_dictionary.items()
    if kind == "SOP Class" and uid.startswith("1.2.840.10008.5.1.4.1.1.") and "Storage" in name
)
OTHERS = ("1.2.840.10008.1.1", "1.2.840.10008.5.1.4.31", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.20.1")


@pytest.mark.parametrize("uid", STORAGE_CLASSES)
def test_every_storage_class_of_the_standard_is_one(uid: str) -> None:
    assert is_storage_class(uid)
    assert is_storage_class(uid, accepts_private=False)


@pytest.mark.parametrize("uid", [*OTHERS, *sorted(NOT_OF_A_PATIENT)])
def test_other_classes_of_the_standard_are_none(uid: str) -> None:
    assert not is_storage_class(uid)


def test_private_classes_may_be() -> None:
    assert is_storage_class("1.3.12.2.1107.5.9.1")
    assert not is_storage_class("1.3.12.2.1107.5.9.1", accepts_private=False)
