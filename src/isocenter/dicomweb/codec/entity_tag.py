"""Entity tags: how a caller says which version of a representation it has (RFC 9110 8.8.3 and 13.1.2)."""

from __future__ import annotations

import re

from isocenter.dicomweb.codec.dialect import Dialect

_OPAQUE = re.compile(r'(?:W/)?("[^"]*")')


def format_entity_tag(opaque: str, dialect: Dialect) -> str:
    """Return the value of an ETag header: weak by the standard, since it may be compressed, bare for Azure."""
    return opaque if dialect.is_azure else f'W/"{opaque}"'


def is_known(if_none_match: str | None, opaque: str, dialect: Dialect) -> bool:
    """Tell whether a caller has the version of a tag.

    Azure compares the header as plain text (dicom-service 3.5); the standard reads a list of tags, or `*` for any.
    """
    if if_none_match is None:
        return False
    if if_none_match == opaque:
        return True
    if dialect.is_azure:
        return False
    return if_none_match.strip() == "*" or f'"{opaque}"' in _OPAQUE.findall(if_none_match)
