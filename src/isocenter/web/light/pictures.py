"""What the pages of the light viewer load: pictures, thumbnails, documents, and what a script needs of a series."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from isocenter.archive import render
from isocenter.archive.bulk_data import open_bulk_data
from isocenter.archive.retrieve import find_instance, find_instances
from isocenter.dicomweb.server.metadata import GZIP_SIZE_MIN_BYTES, gzip
from isocenter.domain.errors import InvalidRequest, TooLarge
from isocenter.web.light.asked import Asked
from isocenter.web.light.image_facts import ImageFacts, image_facts
from isocenter.web.light.object_kind import ENCAPSULATED_DOCUMENT, PDF, document_type
from isocenter.web.light.place import parse_number
from isocenter.web.light.reading import number_of_frames, read_dataset, read_stack
from isocenter.web.viewer_assets import accepts_gzip

EDGES = (512, 768, 1024)
"""Sizes that a page offers: a phone's width, a sharp one's, and the most that an unmagnified picture needs."""
EDGE_MAX = 2048
"""What a magnified picture may ask for."""
THUMBNAIL_EDGE = 160
QUALITY = 80
"""23 kB for a CT slice (viewer-ui 3.1); what is on the page says that it is lossy."""
THUMBNAIL_QUALITY = 70
JPEG = "image/jpeg"
KEPT = {"Cache-Control": "private, max-age=3600, immutable"}
"""An hour, longer than a visit and no longer: others may use the same workstation. The address names the content."""
PASSING = {"Cache-Control": "no-store"}
GUARDED = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
EMBEDDED_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; img-src data:; frame-ancestors 'self'"
)
"""A document comes from anywhere: it may be looked at by a page of ours, and do nothing."""
DOCUMENT_SIZE_MAX_BYTES = 256 * 1024**2
"""Read at once: no report is as large."""
PDF_HEAD, PDF_HEAD_SEARCHED = b"%PDF-", 1024
"""Readers look for it in the first kilobyte."""


def give_picture(asked: Asked) -> Response:
    """Return a frame as a JPEG that fits into a square."""
    edge = _edge(asked.request.query_params.get("edge", str(EDGES[-1])))
    row = find_instance(asked.archive, asked.principal, asked.place.scope)
    window = asked.place.window
    chosen = (
        None if window is None else (window.center, window.width, "linear" if window.width >= 1 else "linear-exact")
    )
    picture = render.Picture(media_type=JPEG, quality=QUALITY, viewport=(edge, edge), window=chosen)
    content = render.render_frame(asked.archive, row, asked.place.frame_number, picture)
    return _picture(asked, content, version=str(row.instance_key))


def give_thumbnail(asked: Asked) -> Response:
    """Return a small picture that stands for a series."""
    rows = find_instances(asked.archive, asked.principal, asked.place.scope)
    row = render.representative(asked.archive, rows)
    picture = render.Picture(JPEG, THUMBNAIL_QUALITY, viewport=(THUMBNAIL_EDGE, THUMBNAIL_EDGE))
    content = render.render_frame(asked.archive, row, render.middle_frame(row), picture)
    return _picture(asked, content, version=str(max(row.instance_key for row in rows)))


def give_window(asked: Asked) -> Response:
    """Return the window in which a frame is shown that names none: that of its values."""
    row = find_instance(asked.archive, asked.principal, asked.place.scope)
    center, width = render.shown_window(asked.archive, row, asked.place.frame_number)
    return Response(orjson.dumps([center, width]), media_type="application/json", headers=PASSING | GUARDED)


def give_stack(asked: Asked) -> Response:
    """Return what a script needs to go through a series without asking for a page each time."""
    images = [
        {
            "instance": row.identifier.sop_instance_uid,
            "version": str(row.instance_key),
            "frames": number_of_frames(row),
            **facts_json(image_facts(dataset)),
        }
        for row, dataset in read_stack(asked.archive, asked.principal, asked.place)
    ]
    content = orjson.dumps({"images": images})
    headers = PASSING | GUARDED | {"Vary": "Accept-Encoding"}
    if len(content) >= GZIP_SIZE_MIN_BYTES and accepts_gzip(asked.request.headers.get("accept-encoding", "")):
        content, headers = gzip(content), headers | {"Content-Encoding": "gzip"}
    return Response(content, media_type="application/json", headers=headers)


def give_document(asked: Asked) -> Response:
    """Return an encapsulated document: a PDF to be looked at, anything else to be saved."""
    row = find_instance(asked.archive, asked.principal, asked.place.scope)
    dataset = read_dataset(asked.archive, asked.principal, row)
    (value,) = open_bulk_data(asked.archive, row, ENCAPSULATED_DOCUMENT)
    if value.length is None or value.length > DOCUMENT_SIZE_MAX_BYTES:
        raise TooLarge("The document is too large to be shown; retrieve the instance instead.")
    content = b"".join(value.read())
    is_pdf = document_type(dataset) == PDF and PDF_HEAD in content[:PDF_HEAD_SEARCHED]
    disposition = "inline" if is_pdf else "attachment"
    name = "document.pdf" if is_pdf else "document.bin"
    headers = {
        "Content-Disposition": f'{disposition}; filename="{name}"',
        "Content-Security-Policy": EMBEDDED_POLICY,
        **PASSING,
        **GUARDED,
    }
    return Response(content, media_type=PDF if is_pdf else "application/octet-stream", headers=headers)


def facts_json(facts: ImageFacts) -> dict[str, object]:
    """Return what is known of a picture as the page's script reads it."""
    window, edges, bar = facts.window, facts.edges, facts.bar
    return {
        "rows": facts.rows,
        "columns": facts.columns,
        "grey": facts.is_grey,
        "inverted": facts.is_inverted,
        "window": None if window is None else [window.center, window.width],
        "edges": [edges.left, edges.right, edges.top, edges.bottom],
        "bar": None if bar is None else [bar.columns, bar.label],
    }


def offered_edges(facts: ImageFacts) -> list[int]:
    """Return the sizes in which a picture is worth asking for: never more than it has."""
    side = max(facts.rows, facts.columns) or EDGES[-1]
    return [*(edge for edge in EDGES if edge < side), min(side, EDGES[-1])]


def _picture(asked: Asked, content: bytes, *, version: str) -> Response:
    is_named = asked.request.query_params.get("v") == version
    return Response(content, media_type=JPEG, headers=(KEPT if is_named else PASSING) | GUARDED)


def _edge(text: str) -> int:
    edge = parse_number(text, what="An edge")
    if edge > EDGE_MAX:
        raise InvalidRequest(f"A picture is given with edges of up to {EDGE_MAX} pixels.")
    return edge
