"""An instance as a device holds it: who it is, and its bytes, of which a frame may stand for many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isocenter.dicom.frames import build_frame_table
from isocenter.dicom.pixels import PIXEL_TAGS, PixelDescription
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.transcode import transcode_instance
from isocenter.dimse.scu.context_plan import InstanceKind
from isocenter.domain.commitment import InstanceReference
from isocenter.domain.errors import NotAcceptable

PIECE_BYTES = 1024**2
"""What is handed to an association at once, so that a large instance is not waited for as a whole."""
_SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080016, 0x00080018
_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E
_NAMES = frozenset({_SOP_CLASS_UID, _SOP_INSTANCE_UID, _STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID})


@dataclass(frozen=True, slots=True)
class DeviceInstance:
    """One instance, ready to be sent."""

    kind: InstanceKind
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    part10: bytes
    """The file, or what of it stands before the repeated frame."""
    dataset_offset: int
    frame: bytes = b""
    """What follows, so many times: a multi-frame picture that need not be in memory."""
    repeats: int = 0

    @property
    def size_bytes(self) -> int:
        """Return the size of the file."""
        return len(self.part10) + len(self.frame) * self.repeats

    @property
    def reference(self) -> InstanceReference:
        """Return it as storage commitment names it."""
        return InstanceReference(self.kind.sop_class_uid, self.sop_instance_uid)

    def iter_file(self) -> Iterator[bytes | memoryview]:
        """Yield the file in pieces."""
        yield from self._iter_from(0)

    def iter_dataset(self) -> Iterator[bytes | memoryview]:
        """Yield the data set in pieces."""
        yield from self._iter_from(self.dataset_offset)

    def _iter_from(self, offset: int) -> Iterator[bytes | memoryview]:
        content = memoryview(self.part10)
        for start in range(offset, len(content), PIECE_BYTES):
            yield content[start : start + PIECE_BYTES]
        for _ in range(self.repeats):
            yield self.frame


def read_instance(part10: bytes) -> DeviceInstance:
    """Return the instance in a Part 10 file. Raises InvalidDataset."""
    scanned = scan_instance(part10, wanted=_NAMES)
    names = scanned.attributes
    return DeviceInstance(
        kind=InstanceKind(names.get(_SOP_CLASS_UID, ""), scanned.encoding.transfer_syntax_uid),
        sop_instance_uid=names.get(_SOP_INSTANCE_UID, ""),
        series_instance_uid=names.get(_SERIES_INSTANCE_UID, ""),
        study_instance_uid=names.get(_STUDY_INSTANCE_UID, ""),
        part10=part10,
        dataset_offset=scanned.dataset_offset,
    )


def converted(instance: DeviceInstance, transfer_syntax_uid: str) -> DeviceInstance:
    """Return an instance in another transfer syntax, its samples unchanged.

    Raises NotAcceptable where it cannot be turned into that.
    """
    if instance.kind.transfer_syntax_uid == transfer_syntax_uid:
        return instance
    if instance.repeats:
        raise NotAcceptable("The device sends a picture of so many frames in its own transfer syntax alone.")
    scanned = scan_instance(instance.part10, wanted=PIXEL_TAGS)
    table = None
    if scanned.pixel_element is not None:
        frames = PixelDescription.of_scanned(scanned).number_of_frames
        table = build_frame_table(instance.part10, scanned, number_of_frames=frames)
    return read_instance(b"".join(transcode_instance(instance.part10, scanned, table, transfer_syntax_uid)))
