"""Ask a running demo what a visitor would, and tell what is not right: list, metadata, picture, viewer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx

from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.domain.identifiers import Level, Scope

PICTURE_MODALITIES = frozenset({"CT", "MR", "CR"})
CONTRAST_MIN = 64
"""Of 255 levels; a picture with less shows nothing."""
STUDIES_ASKED_MAX = 200
TIMEOUT_S = 60.0

STUDY_INSTANCE_UID = "0020000D"
SERIES_INSTANCE_UID = "0020000E"
SOP_INSTANCE_UID = "00080018"
MODALITY = "00080060"
ROWS, COLUMNS = "00280010", "00280011"
NUMBER_OF_INSTANCES = "00201208"


def iter_faults(base_url: str, client: DicomwebClient, *, studies_min: int) -> Iterator[str]:
    """Yield a sentence for everything that is not as it should be."""
    with httpx.Client(base_url=base_url, timeout=TIMEOUT_S) as http:
        yield from _page_faults(http)
        studies = client.search(Level.STUDY, [("limit", str(STUDIES_ASKED_MAX))])
        if len(studies) < studies_min:
            yield f"the study list has {len(studies)} studies instead of {studies_min}"
        pictures = 0
        for study in studies:
            instances = client.metadata(Scope(_first(study, STUDY_INSTANCE_UID)))
            if len(instances) != _first(study, NUMBER_OF_INSTANCES):
                yield f"study {_first(study, STUDY_INSTANCE_UID)} has metadata of {len(instances)} instances only"
            image = next((each for each in instances if _first(each, MODALITY) in PICTURE_MODALITIES), None)
            if image is not None:
                pictures += 1
                yield from _picture_faults(http, client, image)
        if not pictures:
            yield "there is no picture to look at"


def _page_faults(http: httpx.Client) -> Iterator[str]:
    from isocenter.web.viewer_assets import DEFAULT_ARCHIVE

    paths = ["/", "/viewer/"] if DEFAULT_ARCHIVE.is_file() else ["/"]
    for path in paths:
        answer = http.get(path)
        if answer.status_code != httpx.codes.OK or not answer.headers["content-type"].startswith("text/html"):
            yield f"{path} answers {answer.status_code} instead of a page"


def _picture_faults(http: httpx.Client, client: DicomwebClient, image: dict[str, Any]) -> Iterator[str]:
    from PIL import Image

    study, series, instance = (
        _first(image, tag) for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)
    )
    path = f"{client.service}/studies/{study}/series/{series}/instances/{instance}/rendered"
    answer = http.get(path, headers={"Accept": "image/jpeg"})
    if answer.status_code != httpx.codes.OK:
        yield f"instance {instance} cannot be rendered: {answer.status_code}"
        return
    with Image.open(io.BytesIO(answer.content)) as picture:
        if picture.size != (_first(image, COLUMNS), _first(image, ROWS)):
            yield f"instance {instance} is rendered as {picture.size[0]} x {picture.size[1]}"
        darkest, brightest = picture.convert("L").getextrema()
        if not isinstance(darkest, int | float) or not isinstance(brightest, int | float):
            raise AssertionError
        if brightest - darkest < CONTRAST_MIN:
            yield f"the picture of instance {instance} shows nothing"


def _first(row: dict[str, Any], tag: str) -> Any:
    return (row.get(tag, {}).get("Value") or [None])[0]
