"""Which SOP classes are storage classes (PS3.4 annex B.5): whole ranges of UIDs, so that no list grows old."""

from __future__ import annotations

STANDARD_ROOT = "1.2.840.10008."
"""Below it every UID is the standard's; elsewhere they are private."""
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
"""All storage classes of composite instances of a patient lie here, and nothing else does."""
_STORAGE_ELSEWHERE = frozenset(
    {
        "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction Storage
        "1.2.840.10008.5.1.4.34.10",  # RT Brachy Application Setup Delivery Instruction Storage
        "1.2.840.10008.5.1.1.27",  # Stored Print Storage, retired
        "1.2.840.10008.5.1.1.29",  # Hardcopy Grayscale Image Storage, retired
        "1.2.840.10008.5.1.1.30",  # Hardcopy Color Image Storage, retired
    }
)


def is_storage_class(sop_class_uid: str, *, accepts_private: bool = True) -> bool:
    """Tell whether instances of a class are taken in; a private class that nobody knows may be one."""
    if not sop_class_uid.startswith(STANDARD_ROOT):
        return accepts_private
    return sop_class_uid.startswith(_STORAGE_ROOT) or sop_class_uid in _STORAGE_ELSEWHERE
