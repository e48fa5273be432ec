"""What a store request says of its body (PS3.18 10.5.1, dicom-service 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.media_type import parse_media_type
from isocenter.dicomweb.codec.multipart import is_boundary
from isocenter.domain.errors import InvalidRequest, UnsupportedMediaType

_DICOM = "application/dicom"
_START = "The start parameter in multipart/related request is not supported."
_UNREADABLE = "There was an error reading the multipart request."


@dataclass(frozen=True, slots=True)
class StoreBody:
    """How the body of a store request is to be read: one instance, or parts between boundaries."""

    boundary: str | None
    """None where the whole body is one instance."""
    root_type: str | None = None
    """The media type that the message says its first part has."""

    @property
    def is_multipart(self) -> bool:
        """Tell whether the body comes in parts."""
        return self.boundary is not None


def parse_store_content_type(content_type: str | None, dialect: Dialect) -> StoreBody:
    """Return how to read the body; raise UnsupportedMediaType or InvalidRequest where it cannot be taken."""
    media_type = parse_media_type(content_type) if content_type else None
    if media_type is None:
        raise UnsupportedMediaType()
    if media_type.essence == _DICOM:
        if dialect.is_azure and media_type.parameters:
            raise UnsupportedMediaType()
        return StoreBody(boundary=None)
    if media_type.essence != "multipart/related":
        raise UnsupportedMediaType()
    return _parse_multipart(media_type.parameters)


def _parse_multipart(parameters: Mapping[str, str]) -> StoreBody:
    boundary = parameters.get("boundary", "")
    if not boundary:
        raise UnsupportedMediaType()
    if "start" in parameters:
        raise InvalidRequest(_START)
    root_type = parameters.get("type", "").lower() or None
    if root_type not in (None, _DICOM):
        raise UnsupportedMediaType()
    if not is_boundary(boundary):
        raise InvalidRequest(_UNREADABLE)
    return StoreBody(boundary, root_type)


def check_content_encoding(content_encoding: str | None) -> None:
    """Raise UnsupportedMediaType for a body that is compressed as a whole: it is never expanded (S22)."""
    names = {name.strip().lower() for name in (content_encoding or "").split(",")}
    if names - {"", "identity"}:
        raise UnsupportedMediaType("A compressed request body is not supported; send it without Content-Encoding.")


def check_part(headers: Mapping[str, str], body: StoreBody, dialect: Dialect, *, is_first: bool) -> None:
    """Raise UnsupportedMediaType unless a part holds an instance.

    The first part may leave its type to the message's (RFC 2387 3.1); the standard's dialect lets every part do so.
    """
    content_type = headers.get("content-type")
    if content_type is None:
        leaves_it_open = is_first and body.root_type == _DICOM if dialect.is_azure else True
        if not leaves_it_open:
            raise UnsupportedMediaType()
        return
    media_type = parse_media_type(content_type)
    if media_type is None or media_type.essence != _DICOM:
        raise UnsupportedMediaType()
