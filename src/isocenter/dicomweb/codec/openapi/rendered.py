"""What pictures take and give (PS3.18 10.4.1.1.3 and 10.4.1.1.4, dicom-service 3.6)."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicomweb.codec.accept import RENDERED_TYPES, part_type
from isocenter.dicomweb.codec.openapi.answers import CACHED, failures
from isocenter.dicomweb.codec.openapi.description import Answer, Contents, Description, Parameter, Place
from isocenter.dicomweb.codec.openapi.parameters import ACCEPT, RANGE
from isocenter.dicomweb.codec.openapi.retrieve import ALL_RENDERED_TYPES, VIDEO_TYPES, video_answers
from isocenter.dicomweb.codec.openapi.schemas import BINARY, TEXT
from isocenter.dicomweb.codec.render_request import (
    AZURE_QUALITY,
    DEFAULT_QUALITY,
    FUNCTIONS,
    THUMBNAIL_QUALITY,
    THUMBNAIL_SIDE,
    VIEWPORT_MAX,
)
from isocenter.domain.identifiers import Level

_VIEWPORT = Parameter(
    "viewport",
    f"Width and height that the picture must fit into, up to {VIEWPORT_MAX}; behind them, where wanted, left, top, "
    "width and height of the part of the frame that is shown.",
    TEXT,
)
_WINDOW = Parameter("window", f"Center, width and function of the window: {', '.join(FUNCTIONS)}.", TEXT)


def describe_rendered(place: Place) -> Description:
    """Return what the rendering of instances does."""
    level = place.level or Level.STUDY
    is_one = level is Level.INSTANCE
    shown = "the first frame of an instance" if is_one else f"every instance of a {level.name.lower()}"
    return Description(
        name=f"Render{level.name.title()}",
        group="Render",
        summary=f"Render {shown}",
        source="PS3.18 10.4.1.1.3"
        if is_one or not place.dialect.is_azure
        else "PS3.18 10.4.1.1.3; beyond Azure's service",
        text=_rendered_text(place, is_one=is_one),
        parameters=_parameters(place) + ((RANGE,) if _may_be_video(place, is_one) else ()),
        answers=(
            Answer(200, "The picture." if is_one else "The pictures.", _contents(place, is_one), (CACHED,)),
            *(video_answers() if _may_be_video(place, is_one) else ()),
            *failures(404, 406),
        ),
    )


def describe_rendered_frames(place: Place) -> Description:
    """Return what the rendering of frames does."""
    types = picture_types(place)
    several = () if place.dialect.is_azure else tuple(part_type(one) for one in types)
    return Description(
        name="RenderFrames",
        group="Render",
        summary="Render a frame of an instance" if place.dialect.is_azure else "Render frames of an instance",
        source="PS3.18 10.4.1.1.3",
        text=_rendered_text(place, is_one=True),
        parameters=_parameters(place),
        answers=(
            Answer(200, "The picture, or a part for each.", dict.fromkeys((*types, *several), BINARY), (CACHED,)),
            *failures(404, 406),
        ),
    )


def describe_thumbnail(place: Place) -> Description:
    """Return what a thumbnail is."""
    level = place.level or Level.STUDY
    of_frame = "{frames}" in place.pattern
    what = "frame" if of_frame else level.name.lower()
    return Description(
        name=f"Thumbnail{what.title()}",
        group="Render",
        summary=f"Show a small picture that stands for {'an' if what == 'instance' else 'a'} {what}",
        source="PS3.18 10.4.1.1.4" + ("; beyond Azure's service" if place.dialect.is_azure else ""),
        text=f"Without `viewport` it fits into {THUMBNAIL_SIDE} × {THUMBNAIL_SIDE}.",
        parameters=(_quality(THUMBNAIL_QUALITY), _VIEWPORT, _WINDOW, ACCEPT),
        answers=(
            Answer(200, "The picture.", dict.fromkeys(ALL_RENDERED_TYPES, BINARY), (CACHED,)),
            *failures(404, 406),
        ),
    )


def picture_types(place: Place) -> Sequence[str]:
    """Return the media types that a picture of one frame can have."""
    return RENDERED_TYPES if place.dialect.is_azure else ALL_RENDERED_TYPES


def _contents(place: Place, is_one: bool) -> Contents:
    if not is_one:
        return dict.fromkeys((part_type(one) for one in ALL_RENDERED_TYPES), BINARY)
    videos = VIDEO_TYPES if _may_be_video(place, is_one) else ()
    return dict.fromkeys((*picture_types(place), *videos), BINARY)


def _may_be_video(place: Place, is_one: bool) -> bool:
    return is_one and not place.dialect.is_azure


def _rendered_text(place: Place, *, is_one: bool) -> str:
    if place.dialect.is_azure and is_one:
        return "Accept names exactly one of the types, or is left out for JPEG."
    return "Without a preference in Accept pictures are JPEG."


def _parameters(place: Place) -> tuple[Parameter, ...]:
    default = AZURE_QUALITY if place.dialect.is_azure else DEFAULT_QUALITY
    return (_quality(default), _VIEWPORT, _WINDOW, ACCEPT)


def _quality(default: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": default}
    return Parameter("quality", "Quality of JPEG and WebP.", schema)
