"""The pages of the light viewer: a study seen at one place, and all attributes of an instance.

The picture stands in the page as `<img>`, every way on is a link: nothing needs a script. With one, `light.js` takes
over.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from isocenter.archive.retrieve import find_instance
from isocenter.dicom.dictionary import uid_name
from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.web.light.asked import Asked, Light
from isocenter.web.light.attribute_rows import attribute_page, printable
from isocenter.web.light.dataset_json import text_of
from isocenter.web.light.image_facts import ImageFacts, image_facts
from isocenter.web.light.object_kind import PDF, ObjectKind, document_type
from isocenter.web.light.pictures import facts_json, offered_edges
from isocenter.web.light.place import Place, Window, parse_number
from isocenter.web.light.reading import SeriesEntry, Sight, read_dataset, read_sight
from isocenter.web.light.references import references_of
from isocenter.web.light.report import read_report
from isocenter.web.light.waveform import draw_waveform
from isocenter.web.pages.study_row import WITHOUT_PICTURES

PRESETS = (
    ("Brain", Window(40, 80)),
    ("Lung", Window(-600, 1500)),
    ("Bone", Window(400, 1800)),
    ("Abdomen", Window(50, 400)),
)
"""For values in Hounsfield units, so for CT alone."""
WANTED_LENGTH_MAX = 64


def show_sight(light: Light, asked: Asked) -> Response:
    """Return the page of a picture, a report or whatever else an instance is."""
    sight = read_sight(asked.archive, asked.principal, asked.place)
    values = _frame(light, asked, sight) | _content(light, asked, sight)
    return light.page("light.html", values)


def show_attributes(light: Light, asked: Asked) -> Response:
    """Return a page of the attributes of an instance."""
    row = find_instance(asked.archive, asked.principal, asked.place.scope)
    dataset = read_dataset(asked.archive, asked.principal, row)
    query = asked.request.query_params
    wanted = printable(query.get("q", ""))[:WANTED_LENGTH_MAX].strip()
    page = attribute_page(dataset, number=parse_number(query.get("page", "1"), what="A page"), wanted=wanted)
    place = asked.place

    def address(number: int) -> str:
        return asked.prefix + place.below("attributes", **({"q": wanted} if wanted else {}), page=number)

    values = {
        "prefix": asked.prefix,
        "title": text_of(dataset, "SeriesDescription") or text_of(dataset, "StudyDescription") or "Instance",
        "sop_class": uid_name(row.sop_class_uid) or row.sop_class_uid,
        "transfer_syntax": uid_name(row.transfer_syntax_uid) or row.transfer_syntax_uid,
        "back": asked.prefix + place.address,
        "action": asked.prefix + place.path + "/attributes",
        "partition": asked.request.query_params.get("partition", ""),
        "wanted": wanted,
        "page": page,
        "previous": address(page.number - 1) if page.number > 1 else "",
        "next": address(page.number + 1) if page.has_next else "",
    }
    return light.page("light_attributes.html", values)


def to_studies(request: Request) -> Response:
    """Lead from the bare path of the viewer to where studies are listed."""
    return RedirectResponse(public_prefix(request) + "/", 303)


def _frame(light: Light, asked: Asked, sight: Sight) -> dict[str, object]:
    """Return what every page of a place shows: the patient, the series, the ways on."""
    place, prefix, study = sight.place, asked.prefix, sight.study
    current = next((one.row for one in sight.series if one.row.series_instance_uid == place.series_instance_uid), None)
    viewer_query = f"StudyInstanceUIDs={quote(place.study_instance_uid, safe='')}"
    if current is not None:
        viewer_query = current.viewer_query
    before, behind = sight.neighbour(-1), sight.neighbour(1)
    return {
        "prefix": prefix,
        "study": study,
        "current": current,
        "series": [
            {
                "row": one.row,
                "address": prefix + place.series(one.row.series_instance_uid).address,
                "thumbnail": _thumbnail(asked, sight, one),
                "is_current": one.row.series_instance_uid == place.series_instance_uid,
            }
            for one in sight.series
        ],
        "kind": sight.kind.value,
        "sop_class": uid_name(sight.row.sop_class_uid) or sight.row.sop_class_uid,
        "position": sight.position,
        "count": sight.count,
        "previous": "" if before is None else prefix + before.address,
        "next": "" if behind is None else prefix + behind.address,
        "attributes": prefix + place.below("attributes"),
        "studies": "" if asked.principal.shared_study is not None else prefix + "/",
        "viewer": f"{prefix}{light.viewer_path}/viewer?{viewer_query}",
    }


def _thumbnail(asked: Asked, sight: Sight, entry: SeriesEntry) -> str:
    """Return the address of the picture that stands for a series, empty where it has none."""
    if entry.row.modality in WITHOUT_PICTURES:
        return ""
    return asked.prefix + sight.place.series(entry.row.series_instance_uid).below("thumbnail", v=entry.version)


def _content(light: Light, asked: Asked, sight: Sight) -> dict[str, object]:
    match sight.kind:
        case ObjectKind.PICTURE:
            return _picture(asked, sight)
        case ObjectKind.VIDEO:
            return {"video": _rendered_path(light, asked, sight)}
        case ObjectKind.REPORT:
            report = read_report(sight.dataset)
            targets = references_of(sight.dataset, sight.place)
            return {"report": report, "targets": _addresses(asked, targets)}
        case ObjectKind.DOCUMENT:
            return {
                "document": asked.prefix + sight.place.below("document"),
                "is_pdf": document_type(sight.dataset) == PDF,
                "document_type": printable(document_type(sight.dataset)),
                "document_title": printable(text_of(sight.dataset, "DocumentTitle")),
            }
        case ObjectKind.WAVEFORM:
            return {"waveform": draw_waveform(asked.archive, sight.row, sight.dataset), "rows": _first_rows(sight)}
        case ObjectKind.ATTRIBUTES:
            targets = references_of(sight.dataset, sight.place)
            return {"rows": _first_rows(sight), "targets": _addresses(asked, targets)}


def _first_rows(sight: Sight) -> object:
    return attribute_page(sight.dataset, number=1)


def _addresses(asked: Asked, targets: Mapping[str, Place]) -> dict[str, str]:
    return {sop_instance_uid: asked.prefix + place.address for sop_instance_uid, place in targets.items()}


def _rendered_path(light: Light, asked: Asked, sight: Sight) -> str:
    place = sight.place
    uids = (place.study_instance_uid, place.series_instance_uid, place.sop_instance_uid)
    study, series, instance = (quote(uid, safe="") for uid in uids)
    root = f"{asked.prefix}{light.dicomweb_path}"
    return f"{root}/studies/{study}/series/{series}/instances/{instance}/rendered"


def _picture(asked: Asked, sight: Sight) -> dict[str, object]:
    place, facts = sight.place, image_facts(sight.dataset, sight.place.frame_number)
    shown = place.window or facts.window
    edges = offered_edges(facts)
    return {
        "facts": facts,
        "facts_json": facts_json(facts),
        "edges": edges,
        "pictures": {edge: _picture_address(asked, sight, edge) for edge in edges},
        "base": asked.prefix + place.series(place.series_instance_uid).path,
        "stack": asked.prefix + place.series(place.series_instance_uid).below("stack"),
        "place": place,
        "version": str(sight.row.instance_key),
        "shown_window": None if shown is None else (f"{shown.center:g}", f"{shown.width:g}"),
        "instance_number": "" if sight.row.instance_number is None else str(sight.row.instance_number),
        "presets": _presets(asked, sight, facts),
        "is_film": sight.count > 1,
    }


def _presets(asked: Asked, sight: Sight, facts: ImageFacts) -> list[dict[str, object]]:
    if not facts.is_grey:
        return []
    offered: list[tuple[str, Window | None]] = [("Default", None)]
    if text_of(sight.dataset, "Modality") == "CT":
        offered += PRESETS
    return [
        {
            "name": name,
            "window": "" if window is None else window.text,
            "address": asked.prefix + sight.place.in_window(window).address,
            "is_current": sight.place.window == window,
        }
        for name, window in offered
    ]


def _picture_address(asked: Asked, sight: Sight, edge: int) -> str:
    place = sight.place
    window = {} if place.window is None else {"window": place.window.text}
    segment = f"frames/{place.frame_number}"
    return asked.prefix + place.below(segment, v=sight.row.instance_key, edge=edge, **window)
