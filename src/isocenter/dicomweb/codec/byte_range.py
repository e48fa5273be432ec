"""The Range header of a request for one part of a body (RFC 9110 14.2)."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def parse_byte_range(header: str | None, length: int) -> tuple[int, int] | None:
    """Return first byte and count of the range asked for, or None where the whole is to be sent.

    A header that cannot be read, or that names several ranges, is ignored as the RFC allows. A count of 0 says that the
    range lies behind the end.
    """
    matched = _RANGE.fullmatch(header.strip()) if header else None
    if matched is None or matched.groups() == ("", ""):
        return None
    first, last = matched.groups()
    if not first:
        count = min(int(last), length)
        return length - count, count
    start = int(first)
    end = min(int(last), length - 1) if last else length - 1
    if last and int(last) < start:
        return None
    return start, max(0, end - start + 1)
