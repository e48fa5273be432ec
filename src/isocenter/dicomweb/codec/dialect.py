"""The dialects of DICOMweb that the edge speaks: the standard's, and Azure's by version."""

from __future__ import annotations

from enum import Enum


class Dialect(Enum):
    """Whose rules a route follows where the standard and Azure's service differ."""

    STANDARD = "standard"
    """PS3.18, lenient in what it accepts."""
    AZURE_V1 = "v1"
    AZURE_V2 = "v2"

    @property
    def is_azure(self) -> bool:
        """Tell whether the rules of Azure's DICOM service hold."""
        return self is not Dialect.STANDARD
