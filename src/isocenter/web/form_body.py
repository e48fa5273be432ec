"""The body of a form, read with a bound; and where a sign-in may lead to."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from isocenter.domain.errors import TooLarge, UnsupportedMediaType

BODY_SIZE_MAX_BYTES = 64 * 1024
"""A form of ours has some hundred bytes; a token request with an assertion some thousand."""
FIELDS_MAX = 100
FORM_TYPE = "application/x-www-form-urlencoded"


async def read_pairs(
    request: Request, *, size_max_bytes: int = BODY_SIZE_MAX_BYTES, fields_max: int = FIELDS_MAX
) -> list[tuple[str, str]]:
    """Return the fields of a form; raises UnsupportedMediaType, TooLarge."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM_TYPE:
        raise UnsupportedMediaType(f"The body must be of the type {FORM_TYPE}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > size_max_bytes:
            raise TooLarge(f"The request exceeded the allowed limit of {size_max_bytes} bytes.")
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=fields_max)
    except ValueError as error:
        raise TooLarge(f"The form has more than {fields_max} fields.") from error


def local_path(wanted: str, *, otherwise: str) -> str:
    """Return a path of this site to go on to; anything that could lead elsewhere is ignored."""
    is_local = wanted.startswith("/") and wanted[1:2] not in ("/", "\\") and wanted.isprintable() and "\\" not in wanted
    return wanted if is_local else otherwise
