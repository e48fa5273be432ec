"""What a rendered resource is asked to look like (PS3.18 8.3.5)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.domain.errors import InvalidRequest

VIEWPORT_MAX = 4096
"""Larger than any screen; a picture is scaled to what is shown (viewer-ui 3.1)."""
DEFAULT_QUALITY = 90
"""Half the bytes and the time of 100, and no one sees the difference; Azure's service says 100 (dicom-service 3.6)."""
AZURE_QUALITY = 100
QUALITY_DIGITS_MAX = 4
"""A few leading zeros are understood."""
THUMBNAIL_SIDE = 256
THUMBNAIL_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Window:
    """A window: center, width and the name of its function."""

    center: float
    width: float
    function: str = "linear"


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """A picture as the client wants it."""

    quality: int = DEFAULT_QUALITY
    viewport: tuple[int, int] | None = None
    """Columns and rows that it must fit into."""
    source: tuple[int, int, int, int] | None = None
    """Left, top, width and height of the part of the frame that is shown; a width of 0 is the rest."""
    window: Window | None = None


FUNCTIONS = ("linear", "linear-exact", "sigmoid")


def parse_render_request(
    parameters: Mapping[str, str], dialect: Dialect, *, is_thumbnail: bool = False
) -> RenderRequest:
    """Return what the query parameters ask for.

    Raises InvalidRequest where one of them cannot be met.
    """
    default = AZURE_QUALITY if dialect.is_azure else DEFAULT_QUALITY
    viewport, source = _viewport(parameters.get("viewport"))
    if is_thumbnail:
        viewport = viewport or (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return RenderRequest(
        quality=parse_quality(parameters.get("quality"), default=THUMBNAIL_QUALITY if is_thumbnail else default),
        viewport=viewport,
        source=source,
        window=parse_window(parameters.get("window")),
    )


def parse_quality(text: str | None, *, default: int) -> int:
    """Return the quality that text asks for. Raises InvalidRequest."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= QUALITY_DIGITS_MAX and 1 <= int(text) <= 100):
        raise InvalidRequest("Image quality must be between 1 and 100 inclusive")
    return int(text)


def _viewport(text: str | None) -> tuple[tuple[int, int] | None, tuple[int, int, int, int] | None]:
    if text is None:
        return None, None
    numbers = [_number(piece or "0") for piece in text.split(",")]
    if len(numbers) not in (2, 6) or any(number is None or abs(number) > VIEWPORT_MAX for number in numbers):
        raise _invalid("viewport", f"Give width,height or width,height,x,y,w,h, up to {VIEWPORT_MAX}.")
    width, height, *rest = (int(number) for number in numbers if number is not None)
    if width < 1 or height < 1 or any(number < 0 for number in rest):
        raise _invalid("viewport", "Width and height must be at least 1.")
    return (width, height), (rest[0], rest[1], rest[2], rest[3]) if rest else None


def parse_window(text: str | None) -> Window | None:
    """Return the window that text asks for: center, width and function. Raises InvalidRequest."""
    if text is None:
        return None
    pieces = text.split(",")
    center, width = (_number(piece) for piece in pieces[:2]) if len(pieces) >= 2 else (None, None)
    function = pieces[2].strip().lower() if len(pieces) == 3 else "linear"
    if len(pieces) > 3 or center is None or width is None or width <= 0 or function not in FUNCTIONS:
        raise _invalid("window", f"Give center,width,function with one of {', '.join(FUNCTIONS)}.")
    return Window(center, width, function)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _invalid(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"The query parameter '{name}' is invalid. {reason}")
