"""As what an instance is shown: a picture, a film, a report, a document, curves, or its attributes alone."""

from __future__ import annotations

from enum import Enum

from isocenter.web.light.dataset_json import Dataset, text_of

PDF = "application/pdf"
CONTENT_SEQUENCE, WAVEFORM_SEQUENCE, ENCAPSULATED_DOCUMENT = "0040A730", "54000100", "00420011"


class ObjectKind(Enum):
    """What the page of an instance holds."""

    PICTURE = "picture"
    VIDEO = "video"
    REPORT = "report"
    DOCUMENT = "document"
    WAVEFORM = "waveform"
    ATTRIBUTES = "attributes"


def kind_of(dataset: Dataset, *, is_video: bool, has_pixels: bool) -> ObjectKind:
    """Return as what an instance is shown."""
    if is_video:
        return ObjectKind.VIDEO
    if has_pixels:
        return ObjectKind.PICTURE
    for tag, kind in (
        (CONTENT_SEQUENCE, ObjectKind.REPORT),
        (ENCAPSULATED_DOCUMENT, ObjectKind.DOCUMENT),
        (WAVEFORM_SEQUENCE, ObjectKind.WAVEFORM),
    ):
        if tag in dataset:
            return kind
    return ObjectKind.ATTRIBUTES


def document_type(dataset: Dataset) -> str:
    """Return the media type that an encapsulated document claims to have."""
    return text_of(dataset, "MIMETypeOfEncapsulatedDocument").strip().lower()
