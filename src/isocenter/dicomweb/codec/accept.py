"""Which representation a retrieve answers with, from what the client accepts (PS3.18 8.7, dicom-service 3.1).

Each `choose_…` returns one value or raises NotAcceptable. It can be asked twice: before anything is looked up, so that
an Accept that never fits is refused first, and again with the transfer syntax that is stored, which then decides
between several that the client would take.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.media_type import MediaType, parse_accept
from isocenter.domain.errors import NotAcceptable
from isocenter.domain.identifiers import is_uid

AS_STORED = "*"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
TARGET_SYNTAXES = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, JPEG_2000_LOSSLESS})
"""Transfer syntaxes that the service can produce (dicom-service 3.2)."""

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
OCTET_STREAM = "application/octet-stream"
MULTIPART = "multipart/related"
RENDERED_TYPES = ("image/jpeg", "image/png")
WEBP = "image/webp"
"""Offered beside them where the rules are not Azure's."""

_JPEG = frozenset(
    {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}
)
_JPEG_LS = frozenset({"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"})
_MPEG_4 = frozenset(
    f"1.2.840.10008.1.2.4.10{digit}{fragmentable}" for digit in "2345678" for fragmentable in ("", ".1")
)
FRAME_TYPES = {
    "image/jpeg": _JPEG,
    "image/jls": _JPEG_LS,
    "image/x-jls": _JPEG_LS,
    "image/jp2": frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}),
    "image/jpx": frozenset({"1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"}),
    "image/jphc": frozenset({"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"}),
    "image/jxl": frozenset({"1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112"}),
    "image/dicom-rle": frozenset({"1.2.840.10008.1.2.5"}),
    "image/x-dicom-rle": frozenset({"1.2.840.10008.1.2.5"}),
    "video/mpeg": frozenset({"1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101"}),
    "video/mp4": _MPEG_4,
}
"""Media types of compressed frames, with the transfer syntaxes whose frames are such a stream (PS3.18 8.7.3)."""

_TOO_MANY = "The request contains multiple accept headers, which is not supported."


def part_type(media_type: str) -> str:
    """Return the media type of a message with parts of a media type (RFC 2387)."""
    return f'{MULTIPART}; type="{media_type}"'


AZURE_FRAME_TYPES = (part_type(OCTET_STREAM), OCTET_STREAM, part_type("image/jp2"))
"""What frames can be asked for by Azure's rules (dicom-service 3.1)."""


class JsonNotAcceptable(NotAcceptable):
    """The answer is DICOM JSON, and the request does not accept it: accept application/dicom+json."""

    @classmethod
    def for_dialect(cls, dialect: Dialect) -> JsonNotAcceptable:
        """Return what is answered: Azure's service says nothing (dicom-service 1.3)."""
        return _Silent() if dialect.is_azure else cls()


class _Silent(JsonNotAcceptable):
    @property
    def message(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Representation:
    """How an answer is written: in one part or several, of which type, in which transfer syntax."""

    is_multipart: bool
    media_type: str
    """Of the single part, or of each part."""
    transfer_syntax: str
    """A transfer syntax UID, or `*` for the bytes as they are stored."""


def effective_accept(header: str | None, query_value: str | None) -> str | None:
    """Return what the client accepts: the `accept=` of the query string wins over the header (PS3.18 8.3.3.1)."""
    chosen = query_value or header
    return chosen if chosen and chosen.strip() else None


def accepts_dicom_json(accept: str | None, dialect: Dialect) -> bool:
    """Tell whether an answer in DICOM JSON is acceptable (dicom-service 1.3)."""
    if accept is None:
        return not dialect.is_azure
    return any(
        media_range.quality > 0 and (media_range.covers(DICOM_JSON) or media_range.essence == "application/json")
        for media_range in parse_accept(accept)
    )


def require_dicom_json(accept: str | None, dialect: Dialect) -> None:
    """Raise JsonNotAcceptable where an answer in DICOM JSON is not acceptable; the first thing to ask of a request."""
    if not accepts_dicom_json(accept, dialect):
        raise JsonNotAcceptable.for_dialect(dialect)


def choose_dicom(
    accept: str | None,
    dialect: Dialect,
    *,
    is_instance: bool,
    stored_transfer_syntax_uid: str | None = None,
) -> Representation:
    """Choose how instances are returned; a single part is only for one instance."""
    if dialect.is_azure:
        return _best(_azure_dicom(accept, is_instance), None, TARGET_SYNTAXES)
    return _best(_standard_dicom(accept, is_instance), stored_transfer_syntax_uid, None)


def choose_frames(
    accept: str | None,
    dialect: Dialect,
    *,
    stored_transfer_syntax_uid: str | None = None,
) -> Representation:
    """Choose how frames are returned."""
    if dialect.is_azure:
        return _best(_azure_frames(accept), None, TARGET_SYNTAXES)
    candidates = _standard_frames(accept, stored_transfer_syntax_uid)
    return _best(candidates, stored_transfer_syntax_uid, None)


def choose_bulkdata(accept: str | None) -> Representation:
    """Choose how one value is returned; anything that takes octets will do (PS3.18 8.7.3.4)."""
    for media_range in _by_weight(_ranges(accept)):
        if media_range.essence == MULTIPART:
            if media_range.parameters.get("type", OCTET_STREAM).lower() in (OCTET_STREAM, "*/*"):
                return Representation(True, OCTET_STREAM, AS_STORED)
        elif media_range.covers(OCTET_STREAM):
            return Representation(False, OCTET_STREAM, AS_STORED)
    raise NotAcceptable()


def choose_rendered(accept: str | None, dialect: Dialect, *, offered: Sequence[str] = RENDERED_TYPES) -> str:
    """Choose the media type of a picture, the first of those offered where the client leaves it open."""
    if accept is None:
        return offered[0]
    if dialect.is_azure:
        return _azure_rendered(accept)
    for media_range in _by_weight(parse_accept(accept)):
        for media_type in offered:
            if media_range.covers(media_type):
                return media_type
    raise NotAcceptable()


def _azure_rendered(accept: str) -> str:
    ranges = parse_accept(accept)
    if len(ranges) > 1:
        raise NotAcceptable(_TOO_MANY)
    if not ranges or ranges[0].essence not in RENDERED_TYPES:
        raise NotAcceptable()
    return ranges[0].essence


@dataclass(frozen=True, slots=True)
class _Candidate:
    representation: Representation
    quality: float


def _azure_dicom(accept: str | None, is_instance: bool) -> Iterator[_Candidate]:
    for media_range in parse_accept(accept or ""):
        form = _form(media_range)
        default = AS_STORED if media_range.essence == "*/*" else EXPLICIT_VR_LITTLE_ENDIAN
        if media_range.essence == "*/*" or form == (True, DICOM):
            yield _candidate(media_range, is_multipart=True, media_type=DICOM, default=default)
        elif is_instance and form == (False, DICOM):
            yield _candidate(media_range, is_multipart=False, media_type=DICOM, default=default)


def _azure_frames(accept: str | None) -> Iterator[_Candidate]:
    for media_range in parse_accept(accept or ""):
        is_multipart, media_type = _form(media_range)
        if media_range.essence == "*/*":
            yield _candidate(media_range, is_multipart=True, media_type=OCTET_STREAM, default=AS_STORED)
        elif media_type == OCTET_STREAM:
            candidate = _candidate(
                media_range, is_multipart=is_multipart, media_type=OCTET_STREAM, default=EXPLICIT_VR_LITTLE_ENDIAN
            )
            if candidate.representation.transfer_syntax != JPEG_2000_LOSSLESS:
                yield candidate
        elif is_multipart and media_type == "image/jp2":
            candidate = _candidate(media_range, is_multipart=True, media_type="image/jp2", default=JPEG_2000_LOSSLESS)
            if candidate.representation.transfer_syntax == JPEG_2000_LOSSLESS:
                yield candidate


def _standard_dicom(accept: str | None, is_instance: bool) -> Iterator[_Candidate]:
    for media_range in _ranges(accept):
        is_multipart, media_type = _form(media_range)
        if media_range.essence == MULTIPART and media_type in ("", DICOM, "*/*", "application/*"):
            yield _candidate(media_range, is_multipart=True, media_type=DICOM)
        elif not is_multipart and media_range.covers(DICOM):
            single = is_instance and media_range.essence == DICOM
            if single or media_range.essence != DICOM:
                yield _candidate(media_range, is_multipart=not single, media_type=DICOM)
        elif media_range.essence == "multipart/*":
            yield _candidate(media_range, is_multipart=True, media_type=DICOM)


def _standard_frames(accept: str | None, stored: str | None) -> Iterator[_Candidate]:
    for media_range in _ranges(accept):
        is_multipart, media_type = _form(media_range)
        asked = MediaType(media_type or "*/*", {}) if is_multipart else media_range
        is_multipart = is_multipart or media_range.essence == "*/*"
        if asked.covers(OCTET_STREAM):
            yield _candidate(media_range, is_multipart=is_multipart, media_type=OCTET_STREAM)
        elif asked.essence.partition("/")[0] in {"image", "video"}:
            yield from _compressed_frames(media_range, asked, is_multipart, stored)


def _compressed_frames(
    media_range: MediaType, asked: MediaType, is_multipart: bool, stored: str | None
) -> Iterator[_Candidate]:
    # A range such as image/* is settled by what is stored; before that is known, any will do.
    for media_type, syntaxes in FRAME_TYPES.items():
        if not asked.covers(media_type):
            continue
        default = AS_STORED
        if stored is not None and stored not in syntaxes and JPEG_2000_LOSSLESS in syntaxes:
            default = JPEG_2000_LOSSLESS
        candidate = _candidate(media_range, is_multipart=is_multipart, media_type=media_type, default=default)
        if _fits_frame_type(candidate.representation, syntaxes, stored):
            yield candidate


def _fits_frame_type(representation: Representation, syntaxes: Collection[str], stored: str | None) -> bool:
    wanted = representation.transfer_syntax
    if wanted != AS_STORED:
        return wanted in syntaxes
    return stored is None or stored in syntaxes


def _ranges(accept: str | None) -> tuple[MediaType, ...]:
    return parse_accept("*/*" if accept is None else accept)


def _form(media_range: MediaType) -> tuple[bool, str]:
    """Return whether several parts are asked for, and the media type of a part ("" where it is left open)."""
    if media_range.essence in (MULTIPART, "multipart/*"):
        return True, media_range.parameters.get("type", "").strip().lower()
    return False, media_range.essence


def _candidate(media_range: MediaType, *, is_multipart: bool, media_type: str, default: str = AS_STORED) -> _Candidate:
    wanted = media_range.parameters.get("transfer-syntax", "").strip() or default
    return _Candidate(Representation(is_multipart, media_type, wanted), media_range.quality)


def _by_weight(ranges: Sequence[MediaType]) -> list[MediaType]:
    return sorted((media_range for media_range in ranges if media_range.quality > 0), key=lambda each: -each.quality)


def _best(candidates: Iterator[_Candidate], stored: str | None, targets: Collection[str] | None) -> Representation:
    """Return the candidate of the highest weight that can be met; at one weight, one that leaves the bytes alone.

    `targets` bounds the transfer syntaxes that may be asked for; None asks for the stored one or what can be produced,
    and, before anything is known to be stored, for any.
    """
    best: _Candidate | None = None
    for candidate in candidates:
        if candidate.quality <= 0 or not _can_meet(candidate.representation, stored, targets):
            continue
        if best is None or _rank(candidate, stored) > _rank(best, stored):
            best = candidate
    if best is None:
        raise NotAcceptable()
    return best.representation


def _rank(candidate: _Candidate, stored: str | None) -> tuple[float, bool]:
    return candidate.quality, candidate.representation.transfer_syntax in (AS_STORED, stored)


def _can_meet(representation: Representation, stored: str | None, targets: Collection[str] | None) -> bool:
    wanted = representation.transfer_syntax
    if wanted == AS_STORED:
        return True
    if targets is not None:
        return wanted in targets
    if stored is None:
        return is_uid(wanted)
    if wanted == stored:
        return True
    frame_type = FRAME_TYPES.get(representation.media_type)
    return wanted in TARGET_SYNTAXES and (frame_type is None or wanted in frame_type)
