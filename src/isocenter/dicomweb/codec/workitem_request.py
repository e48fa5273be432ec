"""What a request about a workitem says: its body, and the UID that stands alone in its query (dicom-service 9.2)."""

from __future__ import annotations

from urllib.parse import parse_qsl

import orjson

from isocenter.dicom.json_document import Document, read_document
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.media_type import parse_media_type
from isocenter.domain.errors import InvalidDataset, InvalidRequest, UnsupportedMediaType
from isocenter.domain.identifiers import parse_uid

PARAMETERS_MAX = 16
"""A request about a workitem has one parameter, and what proxies add."""

_UID_NAMES = frozenset({"workitem", "affectedsopinstanceuid", "transaction", "transaction-uid", "transactionuid"})
"""How user agents name the one parameter where they write it with a value (PS3.18 11.4.1, 11.6.1)."""
_PASSED_OVER = frozenset({"accept", "charset"})
"""Parameters of every request by the standard (PS3.18 8.3.3)."""
_JSON_TYPES = frozenset({"application/dicom+json", "application/json"})


def require_dicom_json_body(content_type: str | None, dialect: Dialect) -> None:
    """Raise UnsupportedMediaType unless a body is in DICOM JSON; the standard's dialect takes plain JSON for it too."""
    media_type = parse_media_type(content_type or "")
    allowed = _JSON_TYPES if not dialect.is_azure else {"application/dicom+json"}
    if media_type is None or media_type.essence not in allowed:
        raise UnsupportedMediaType("The body must be of the media type application/dicom+json.")


def parse_workitem_body(content: bytes, dialect: Dialect) -> Document:
    """Return the one data set of a body.

    Raises InvalidRequest where there is none, or more than one.
    """
    if not content.strip():
        raise InvalidRequest("The request body is missing.")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("The syntax of the request body is invalid.") from error
    if isinstance(document, dict) and not dialect.is_azure:
        document = [document]
    if not isinstance(document, list) or len(document) != 1:
        raise InvalidRequest("The syntax of the request body is invalid. It is an array with one data set.")
    try:
        return read_document(document[0])
    except InvalidDataset as error:
        raise InvalidRequest(f"The syntax of the request body is invalid. {error.message}") from error


def parse_uid_parameter(query_string: str, dialect: Dialect) -> str | None:
    """Return the UID that a query names, or None where it names none: the name of the first parameter is the UID.

    Raises InvalidRequest where that is no UID.
    """
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError as error:
        raise InvalidRequest("The query string included invalid characters.") from error
    for name, value in pairs:
        if dialect.is_azure or name.lower() not in _PASSED_OVER:
            is_named = not dialect.is_azure and name.lower() in _UID_NAMES
            return parse_uid(value if is_named else name)
    return None
