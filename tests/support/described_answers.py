"""Hold an answer of the DICOMweb edge against what its route is described to give."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.dicomweb.codec.media_type import parse_media_type
from isocenter.dicomweb.codec.openapi.document import DescribedRoute
from isocenter.dicomweb.server.routes import ROOTS, described_under, routes_under

OF_OURS = "referrer-policy"
"""A header that every answer of ours has, and none of the archives that tests talk to beside."""
PARTITION_DEPTH = 2


def check_described(method: str, path: str, *, status: int, headers: Mapping[str, str], has_content: bool) -> None:
    """Fail where an answer is not among those that its route is described to give; other paths are passed over."""
    route = _find(method, path)
    if route is None:
        return
    answers = {answer.status: answer for answer in route.answers}
    assert status in answers, f"{method} {path} answered {status}; its description has {sorted(answers)}"
    given = parse_media_type(headers.get("content-type", ""))
    if has_content and given is not None:
        described = [parse_media_type(media_type) for media_type in answers[status].contents]
        kinds = [(one.essence, one.parameters.get("type")) for one in described if one is not None]
        kind = (given.essence, given.parameters.get("type"))
        assert kind in kinds, f"{method} {path} answered {status} as {kind}; its description has {kinds}"


def _find(method: str, path: str) -> DescribedRoute | None:
    root, _, rest = path[1:].partition("/")
    root = f"/{root.lower()}"
    if root not in ROOTS:
        return None
    segments = rest.strip("/").split("/")
    is_in_partition = len(segments) > PARTITION_DEPTH and segments[0].lower() == "partitions"
    segments = segments[PARTITION_DEPTH:] if is_in_partition else segments
    for route in routes_under(root).get(len(segments), ()):
        if (
            route.method == method
            and route.match(segments) is not None
            and (route.is_in_partition or not is_in_partition)
        ):
            shown = route.pattern.replace("{path0}", "{path}") if "{path1}" not in route.pattern else ""
            return next(
                (one for one in described_under(root) if (one.place.method, one.place.pattern) == (method, shown)), None
            )
    return None
