"""The query string of the URI service (PS3.18 9): one instance, as it is stored or as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from isocenter.dicomweb.codec.accept import AS_STORED
from isocenter.dicomweb.codec.media_type import MediaType, parse_accept
from isocenter.dicomweb.codec.render_request import (
    DEFAULT_QUALITY,
    VIEWPORT_MAX,
    Window,
    parse_quality,
    parse_window,
)
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Scope, parse_uid

PARAMETERS_MAX = 64
"""The service knows twenty."""
FRAME_NUMBER_DIGITS_MAX = 9
_REFUSED = ("presentationuid", "presentationseriesuid")
"""What would change the picture and is not done; `annotation` may be passed over (PS3.18 9.1.2.3)."""


@dataclass(frozen=True, slots=True)
class WadoUriRequest:
    """One instance as the client wants it."""

    scope: Scope
    media_types: tuple[MediaType, ...] = ()
    """In the order of preference; none where the client leaves it open."""
    transfer_syntax_uid: str = AS_STORED
    frame_number: int | None = None
    quality: int = DEFAULT_QUALITY
    viewport: tuple[int, int] | None = None
    """Columns and rows that the picture must fit into."""
    region: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom of what is shown, as parts of the whole."""
    window: Window | None = None


def parse_wado_uri(query_string: str, *, partition_name: str) -> WadoUriRequest:
    """Return what a query string asks for. Raises InvalidRequest with what is wrong."""
    parameters = _parameters(query_string)
    if parameters.get("requesttype", "").upper() != "WADO":
        raise _invalid("requestType", "It must be WADO.")
    for name in _REFUSED:
        if parameters.get(name):
            raise _invalid(name, "Presentation states are not applied.")
    if parameters.get("anonymize", "no").lower() != "no":
        raise _invalid("anonymize", "Instances are given as they are stored.")
    return WadoUriRequest(
        scope=_scope(parameters, partition_name),
        media_types=_media_types(parameters.get("contenttype")),
        transfer_syntax_uid=_transfer_syntax(parameters.get("transfersyntax")),
        frame_number=_number("frameNumber", parameters.get("framenumber")),
        quality=parse_quality(parameters.get("imagequality"), default=DEFAULT_QUALITY),
        viewport=_viewport(parameters),
        region=_region(parameters.get("region")),
        window=_window(parameters),
    )


def _parameters(query_string: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError as error:
        raise InvalidRequest("The query string included invalid characters.") from error
    return {name.lower(): value.strip() for name, value in pairs}


def _invalid(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"The query parameter '{name}' is invalid. {reason}")


def _scope(parameters: Mapping[str, str], partition_name: str) -> Scope:
    study, series, instance = (_uid(parameters, name) for name in ("studyUID", "seriesUID", "objectUID"))
    return Scope(study, series, instance, partition_name)


def _uid(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name.lower()):
        raise _invalid(name, "It must be given.")
    return parse_uid(parameters[name.lower()])


def _media_types(text: str | None) -> tuple[MediaType, ...]:
    if not text:
        return ()
    found = parse_accept(text)
    if not found:
        raise _invalid("contentType", "It must be a media type, or several parted by commas.")
    return found


def _transfer_syntax(text: str | None) -> str:
    return AS_STORED if text is None or text in ("", AS_STORED) else parse_uid(text)


def _number(name: str, text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= FRAME_NUMBER_DIGITS_MAX and int(text)):
        raise _invalid(name, "It must be a whole number, 1 or more.")
    return int(text)


def _viewport(parameters: Mapping[str, str]) -> tuple[int, int] | None:
    rows, columns = (_number(name, parameters.get(name)) for name in ("rows", "columns"))
    if rows is None and columns is None:
        return None
    return min(columns or VIEWPORT_MAX, VIEWPORT_MAX), min(rows or VIEWPORT_MAX, VIEWPORT_MAX)


def _region(text: str | None) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise _bad_region() from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise _bad_region()
    return left, top, right, bottom


def _bad_region() -> InvalidRequest:
    return _invalid("region", "Give left,top,right,bottom as parts of the whole, from 0.0 to 1.0.")


def _window(parameters: Mapping[str, str]) -> Window | None:
    center, width = parameters.get("windowcenter"), parameters.get("windowwidth")
    if not center and not width:
        return None
    return parse_window(f"{center or ''},{width or ''}")
