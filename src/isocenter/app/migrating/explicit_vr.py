"""Re-encode an instance for a target that takes explicit VR little endian only, as Azure's service does.

The samples of its pixels stay as they are, and so does its digest, unless it was in big endian.
"""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path

from isocenter.app.migrating.ends import StagedFile
from isocenter.dicom.frames import build_frame_table
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.pixels import PIXEL_TAGS, PixelDescription
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.dicom.transcode import transcode_instance

_RE_ENCODED = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})


def explicit_copy(file: StagedFile, folder: Path) -> StagedFile:
    """Return a file in explicit VR little endian: itself where it is, else a copy in a folder.

    Raises NotAcceptable or InvalidDataset where it cannot be re-encoded, OSError.
    """
    with file.path.open("rb") as opened:
        # Not closed by hand: pieces are views of it. It goes with the last of them.
        content = memoryview(mmap(opened.fileno(), 0, access=ACCESS_READ))
    if read_encoding(content)[0].transfer_syntax_uid not in _RE_ENCODED:
        return file
    scanned = scan_instance(content, wanted=PIXEL_TAGS)
    has_pixels = scanned.pixel_element is not None
    frames = PixelDescription.of_scanned(scanned).number_of_frames if has_pixels else None
    table = build_frame_table(content, scanned, number_of_frames=frames) if has_pixels else None
    path = folder / f"{file.sop_instance_uid}.dcm"
    with path.open("wb") as copy:
        for piece in transcode_instance(content, scanned, table, EXPLICIT_VR_LITTLE_ENDIAN):
            copy.write(piece)
    return StagedFile(file.sop_instance_uid, path, path.stat().st_size)
