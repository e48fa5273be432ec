"""The transfer syntaxes of the standard (PS3.6 table A-1, edition 2025) and what each means for the bytes.

An unknown syntax is read as explicit VR little endian, which every syntax since 1993 but two is (PS3.5 10.4, annex A).
"""

from __future__ import annotations

from dataclasses import dataclass

OCTET_STREAM = "application/octet-stream"

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
GE_PRIVATE_IMPLICIT_VR = "1.2.840.113619.5.2"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax."""

    uid: str
    name: str
    media_type: str = OCTET_STREAM
    """The media type of a frame (PS3.18 8.7.3.5)."""
    is_implicit_vr: bool = False
    is_little_endian: bool = True
    is_deflated: bool = False
    is_encapsulated: bool = True
    is_lossy: bool = False
    """True where the syntax allows for lossy compression."""

    @property
    def is_video(self) -> bool:
        """Tell whether the pixel data is one stream of all frames."""
        return self.media_type.startswith("video/")


_NATIVE = (
    TransferSyntax(IMPLICIT_VR_LITTLE_ENDIAN, "Implicit VR Little Endian", is_implicit_vr=True, is_encapsulated=False),
    TransferSyntax(EXPLICIT_VR_LITTLE_ENDIAN, "Explicit VR Little Endian", is_encapsulated=False),
    TransferSyntax(
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        "Deflated Explicit VR Little Endian",
        is_deflated=True,
        is_encapsulated=False,
    ),
    TransferSyntax(EXPLICIT_VR_BIG_ENDIAN, "Explicit VR Big Endian", is_little_endian=False, is_encapsulated=False),
    # GE's private syntax differs in the pixel data only, which is big endian.
    TransferSyntax(
        GE_PRIVATE_IMPLICIT_VR, "GE Private Implicit VR Big Endian", is_implicit_vr=True, is_encapsulated=False
    ),
)

# Suffix behind 1.2.840.10008.1.2., media type, "lossy" or "lossless", name.
_ENCAPSULATED = """
1.98   application/octet-stream lossless Encapsulated Uncompressed Explicit VR Little Endian
4.50   image/jpeg      lossy    JPEG Baseline (Process 1)
4.51   image/jpeg      lossy    JPEG Extended (Process 2 and 4)
4.52   image/jpeg      lossy    JPEG Extended (Process 3 and 5)
4.53   image/jpeg      lossy    JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)
4.54   image/jpeg      lossy    JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)
4.55   image/jpeg      lossy    JPEG Full Progression, Non-Hierarchical (Process 10 and 12)
4.56   image/jpeg      lossy    JPEG Full Progression, Non-Hierarchical (Process 11 and 13)
4.57   image/jpeg      lossless JPEG Lossless, Non-Hierarchical (Process 14)
4.58   image/jpeg      lossless JPEG Lossless, Non-Hierarchical (Process 15)
4.59   image/jpeg      lossy    JPEG Extended, Hierarchical (Process 16 and 18)
4.60   image/jpeg      lossy    JPEG Extended, Hierarchical (Process 17 and 19)
4.61   image/jpeg      lossy    JPEG Spectral Selection, Hierarchical (Process 20 and 22)
4.62   image/jpeg      lossy    JPEG Spectral Selection, Hierarchical (Process 21 and 23)
4.63   image/jpeg      lossy    JPEG Full Progression, Hierarchical (Process 24 and 26)
4.64   image/jpeg      lossy    JPEG Full Progression, Hierarchical (Process 25 and 27)
4.65   image/jpeg      lossless JPEG Lossless, Hierarchical (Process 28)
4.66   image/jpeg      lossless JPEG Lossless, Hierarchical (Process 29)
4.70   image/jpeg      lossless JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])
4.80   image/jls       lossless JPEG-LS Lossless Image Compression
4.81   image/jls       lossy    JPEG-LS Lossy (Near-Lossless) Image Compression
4.90   image/jp2       lossless JPEG 2000 Image Compression (Lossless Only)
4.91   image/jp2       lossy    JPEG 2000 Image Compression
4.92   image/jpx       lossless JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)
4.93   image/jpx       lossy    JPEG 2000 Part 2 Multi-component Image Compression
4.100   video/mpeg2    lossy    MPEG2 Main Profile / Main Level
4.100.1 video/mpeg2    lossy    Fragmentable MPEG2 Main Profile / Main Level
4.101   video/mpeg2    lossy    MPEG2 Main Profile / High Level
4.101.1 video/mpeg2    lossy    Fragmentable MPEG2 Main Profile / High Level
4.102   video/mp4      lossy    MPEG-4 AVC/H.264 High Profile / Level 4.1
4.102.1 video/mp4      lossy    Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1
4.103   video/mp4      lossy    MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
4.103.1 video/mp4      lossy    Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
4.104   video/mp4      lossy    MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video
4.104.1 video/mp4      lossy    Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video
4.105   video/mp4      lossy    MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video
4.105.1 video/mp4      lossy    Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video
4.106   video/mp4      lossy    MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
4.106.1 video/mp4      lossy    Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
4.107   video/H265     lossy    HEVC/H.265 Main Profile / Level 5.1
4.108   video/H265     lossy    HEVC/H.265 Main 10 Profile / Level 5.1
4.110   image/jxl      lossless JPEG XL Lossless
4.111   image/jxl      lossy    JPEG XL JPEG Recompression
4.112   image/jxl      lossy    JPEG XL
4.201   image/jphc     lossless High-Throughput JPEG 2000 Image Compression (Lossless Only)
4.202   image/jphc     lossless High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)
4.203   image/jphc     lossy    High-Throughput JPEG 2000 Image Compression
5      image/dicom-rle lossless RLE Lossless
8.1    application/octet-stream lossless Deflated Image Frame Compression
"""


def _encapsulated(row: str) -> TransferSyntax:
    suffix, media_type, loss, name = row.split(maxsplit=3)
    return TransferSyntax("1.2.840.10008.1.2." + suffix, name, media_type, is_lossy=loss == "lossy")


TRANSFER_SYNTAXES: tuple[TransferSyntax, ...] = _NATIVE + tuple(
    _encapsulated(row) for row in _ENCAPSULATED.strip().splitlines()
)
BY_UID = {syntax.uid: syntax for syntax in TRANSFER_SYNTAXES}


def transfer_syntax(transfer_syntax_uid: str) -> TransferSyntax:
    """Return the syntax of that UID; an unknown one is taken for explicit VR little endian, native."""
    known = BY_UID.get(transfer_syntax_uid)
    return known or TransferSyntax(transfer_syntax_uid, "Unknown", is_encapsulated=False)
