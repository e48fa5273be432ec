"""What a device puts into its instances besides pictures, well or badly: values only.

A work list and a performed procedure step leave their traces in every instance. How it is written down (character
set, transfer syntax, private elements, text in the picture) is the device's own habit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class RequestedStep:
    """A scheduled step from a work list, an item of Request Attributes Sequence (PS3.3 10-9)."""

    requested_procedure_id: str
    scheduled_procedure_step_id: str
    requested_procedure_description: str = ""
    scheduled_procedure_step_description: str = ""


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """The step that made the images (PS3.3 10.13, 10-16)."""

    performed_procedure_step_id: str
    started_at: datetime
    description: str = ""
    sop_instance_uid: str | None = None
    """Of the modality performed procedure step that was announced; None where none was."""


@dataclass(frozen=True, slots=True)
class PrivateElement:
    """An element of a private block: the last byte of its number, VR and value."""

    offset: int
    vr: str
    value: str | int | float | bytes


@dataclass(frozen=True, slots=True)
class PrivateBlock:
    """Elements that only their maker understands (PS3.5 7.8)."""

    group: int
    creator: str
    elements: tuple[PrivateElement, ...]


VENDOR_BLOCKS = (
    PrivateBlock(
        0x0019,
        "ISOCENTER ACQUISITION",
        (
            PrivateElement(0x10, "LO", "PROTOCOL 7"),
            PrivateElement(0x11, "DS", "1.25"),
            PrivateElement(0x12, "US", 3),
            PrivateElement(0x13, "FD", 0.25),
            PrivateElement(0x14, "PN", "Operator^Ollie"),
        ),
    ),
    PrivateBlock(
        0x0029,
        "ISOCENTER RAW HEADER",
        (PrivateElement(0x10, "OB", bytes(range(256)) * 2), PrivateElement(0x11, "UN", b"raw header 1")),
    ),
)
"""What a device of some age adds: numbers, a name that de-identification must find, and blobs."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How a device writes its instances."""

    transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN
    """Implicit or explicit VR little endian."""
    character_set: tuple[str, ...] | None = None
    """What texts are written in; None for what the patient's name needs."""
    declared_character_set: tuple[str, ...] | None = None
    """What the instance says that they are written in, where that is not true."""
    private_blocks: tuple[PrivateBlock, ...] = ()
    burned_in_text: bool | None = None
    """Whether name, number and date stand in the picture; None for what devices of the modality usually do."""
