"""The DICOMweb conformance statement (PS3.2), from the tables that the program itself works with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from isocenter.app.reference_divergences import divergence_sections
from isocenter.app.reference_search import search_sections
from isocenter.app.settings_table import SETTINGS
from isocenter.dicom import codecs
from isocenter.dicom.syntax import TRANSFER_SYNTAXES, TransferSyntax
from isocenter.dicom.transcode import TARGET_SYNTAXES
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import FAILURES
from isocenter.dicomweb.codec.openapi.description import Parameter
from isocenter.dicomweb.codec.openapi.document import DescribedRoute
from isocenter.dicomweb.codec.qido_attributes import MATCHABLE
from isocenter.dicomweb.server.routes import ROOTS, described_under
from isocenter.domain import errors
from isocenter.domain.errors import IsocenterError
from isocenter.domain.principal import OWNER_ACTIONS, READER_ACTIONS, DataAction
from isocenter.domain.statuses import PROCESSING_FAILURE, statuses_of
from isocenter.web.pages.api_operation import describe_kind

OK, BAD_REQUEST = 200, 400

_RULES: Mapping[Dialect, str] = {
    Dialect.STANDARD: "PS3.18, lenient in what it takes",
    Dialect.AZURE_V1: "version 1 of Azure's DICOM service",
    Dialect.AZURE_V2: "version 2 of Azure's DICOM service",
}
_ACTIONS: Mapping[DataAction, str] = {
    DataAction.READ: "search, retrieve, read the feed, tags, operations, partitions and workitems",
    DataAction.WRITE: "store, update, create and change workitems",
    DataAction.DELETE: "delete studies, series and instances",
    DataAction.EXPORT: "export",
    DataAction.MANAGE_EXTENDED_QUERY_TAGS: "change extended query tags, pause operations",
}


def render_dicomweb_conformance(note: str) -> str:
    """Return the statement."""
    routes = _routes()
    sections = [
        _overview(note),
        _transactions(routes),
        _parameters(routes),
        _media_types(routes),
        _transfer_syntaxes(),
        *search_sections(),
        _statuses(routes),
        _security(),
        *divergence_sections(),
        _configuration(),
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _routes() -> Mapping[tuple[str, str], Mapping[str, DescribedRoute]]:
    """Return every route by method and path, under each of its roots, those of one group side by side."""
    found: dict[tuple[str, str], dict[str, DescribedRoute]] = {}
    for root in ROOTS:
        for route in described_under(root):
            found.setdefault((route.place.method, route.place.pattern), {})[root] = route
    groups = list(dict.fromkeys(_any(by_root).description.group for by_root in found.values()))
    return dict(sorted(found.items(), key=lambda item: groups.index(_any(item[1]).description.group)))


def _any(by_root: Mapping[str, DescribedRoute]) -> DescribedRoute:
    return next(iter(by_root.values()))


def _overview(note: str) -> str:
    rows = [
        [f"`{root}`", _RULES[dialect], f"`{root}/api.json`, `{root}/api.yaml`", f"`/docs/api{root}`"]
        for root, dialect in ROOTS.items()
    ]
    return f"""
# DICOMweb conformance statement

{note}

The node is an origin server. It offers the same archive under several roots, each by its own rules; a path without one
of them is no path of the service. Every root describes itself: in OpenAPI, to people, and by `OPTIONS` as PS3.18 8.9
has it, all three made of the same table. What is not listed here is not offered: notifications about workitems
(PS3.18 11.10 to 11.13), the Non-Patient Instance service (12) and the Storage Commitment service (13).

{_table(["root", "rules", "OpenAPI", "page"], rows)}

Between root and path a path can have `partitions/NAME` where `azure.partitions` is `on`: by Azure's rules it must, by
the standard's it may. That holds for the transactions marked so below.
"""


def _transactions(routes: Mapping[tuple[str, str], Mapping[str, DescribedRoute]]) -> str:
    rows = []
    for (method, pattern), by_root in routes.items():
        route = _any(by_root)
        rows.append(
            [
                f"{method} `/{pattern}`",
                route.description.summary,
                route.description.source,
                _roots(by_root),
                route.action or "none",
                "yes" if route.is_in_partition else "–",
                _answers(by_root),
            ]
        )
    return f"""
## Transactions

The action is the data action that a caller needs. Beside the statuses named, every route can answer 400, 431, 500 and
503; those that need an action 401 and 403, those with a body 408, those that write 507 where the disk is full.

{_table(["route", "what it does", "source", "roots", "action", "in a partition", "answers"], rows)}
"""


_EVERYWHERE = frozenset({400, 401, 403, 408, 431, 500, 503, 507})


def _answers(by_root: Mapping[str, DescribedRoute]) -> str:
    lists = {
        root: ", ".join(str(one.status) for one in route.answers if one.status not in _EVERYWHERE)
        for root, route in by_root.items()
    }
    if len(set(lists.values())) == 1:
        return next(iter(lists.values()))
    return "<br>".join(f"{_roots(dict.fromkeys(named))}: {text}" for text, named in _turned(lists).items())


def _turned(values: Mapping[str, str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in values.items():
        found.setdefault(value, []).append(key)
    return found


def _roots(roots: Iterable[str]) -> str:
    named = list(roots)
    return "all" if len(named) == len(ROOTS) else ", ".join(f"`{root}`" for root in named)


def _parameters(routes: Mapping[tuple[str, str], Mapping[str, DescribedRoute]]) -> str:
    found: dict[tuple[str, ...], tuple[dict[str, None], dict[str, None]]] = {}
    attributes = {attribute.keyword for attribute in MATCHABLE.values()}
    for by_root in routes.values():
        for root, route in by_root.items():
            for parameter in route.description.parameters:
                if parameter.name in attributes or "." in parameter.name or _is_workitem_key(route, parameter):
                    continue
                names, roots = found.setdefault(_row_of(parameter), ({}, {}))
                names[route.description.name] = roots[root] = None
    rows = [
        [f"`{name}`", place, kind, text, _roots(roots), ", ".join(names)]
        for (name, place, kind, text), (names, roots) in sorted(found.items(), key=lambda item: item[0][0].lower())
    ]
    return f"""
## Parameters

Those in the query and in headers; attributes that a search matches follow below. Names are best written as they stand
here: searches, the change feed and the URI service read those of their parameters in any case, attributes never.

{_table(["name", "in", "value", "meaning", "roots", "operations of the OpenAPI document"], rows)}
"""


def _is_workitem_key(route: DescribedRoute, parameter: Parameter) -> bool:
    return route.description.name == "SearchWorkitems" and parameter.name[:1].isupper()


def _row_of(parameter: Parameter) -> tuple[str, ...]:
    return parameter.name, parameter.location, describe_kind(parameter.schema), parameter.text


def _media_types(routes: Mapping[tuple[str, str], Mapping[str, DescribedRoute]]) -> str:
    found: dict[tuple[str, str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for by_root in routes.values():
        for root, route in by_root.items():
            described = route.description
            key = (_listed(described.takes), _listed(described.gives), described.group)
            names, roots = found.setdefault(key, ({}, {}))
            names[described.name] = roots[root] = None
    rows = [
        [group, ", ".join(names), _roots(roots), takes or "–", gives or "–"]
        for (takes, gives, group), (names, roots) in found.items()
    ]
    return f"""
## Media types

{_table(["service", "operations of the OpenAPI document", "roots", "taken", "given"], rows)}

Answers in JSON and XML come compressed by gzip where that is accepted and worth the while; bodies that are compressed
as a whole are refused. Text is UTF-8. `accept` in the query wins over the header of that name.
"""


def _listed(media_types: Sequence[str]) -> str:
    return "<br>".join(f"`{media_type}`" for media_type in media_types)


def _transfer_syntaxes() -> str:
    rows = [
        [
            syntax.name,
            f"`{syntax.uid}`",
            f"`{syntax.media_type}`",
            "yes" if _can_be_decoded(syntax) else "–",
            "yes" if syntax.uid in TARGET_SYNTAXES else "–",
        ]
        for syntax in TRANSFER_SYNTAXES
    ]
    return f"""
## Transfer syntaxes

Instances in any transfer syntax are stored, those without a row here too, and given as they are stored, bit for bit.
Those that are decoded can be rendered, and given in each transfer syntax that is produced.

{_table(["transfer syntax", "UID", "media type of a frame", "decoded", "produced"], rows)}
"""


def _can_be_decoded(syntax: TransferSyntax) -> bool:
    return not syntax.is_encapsulated or codecs.can_decode(syntax.uid)


def _statuses(routes: Mapping[tuple[str, str], Mapping[str, DescribedRoute]]) -> str:
    well: dict[tuple[int, str], dict[str, None]] = {}
    for by_root in routes.values():
        for route in by_root.values():
            for answer in route.description.answers:
                if OK < answer.status < BAD_REQUEST:
                    well.setdefault((answer.status, answer.text), {})[route.description.name] = None
    fine = [[str(status), text, ", ".join(names)] for (status, text), names in sorted(well.items())]
    by_status: dict[int, list[str]] = {}
    reasons: dict[int, list[str]] = {}
    for kind in _error_classes(IsocenterError):
        statuses = statuses_of(kind())
        by_status.setdefault(statuses.http_status, []).append(f"`{kind.__name__}`")
        reasons.setdefault(statuses.failure_reason, []).append(f"`{kind.__name__}`")
    reasons[PROCESSING_FAILURE] = ["every other"]
    failed = [[str(status), text, ", ".join(by_status.get(status, ["–"]))] for status, text in sorted(FAILURES.items())]
    refused = [[f"{reason} (`{reason:04X}`)", ", ".join(names)] for reason, names in sorted(reasons.items())]
    return f"""
## Statuses

200 where what was asked for is given or done, and:

{_table(["status", "meaning", "operations of the OpenAPI document"], fine)}

### Failures

The body is a sentence in plain text that says what to do; about workitems it is a string in JSON. Identifiers may
stand in it, other values of attributes only where the caller sent them.

{_table(["status", "meaning", "errors"], failed)}

### Failure reasons of a store

Failure Reason (0008,1197) of an instance that was not stored, in Failed SOP Sequence (0008,1198).

{_table(["reason", "errors"], refused)}
"""


def _error_classes(root: type[IsocenterError]) -> Iterable[type[IsocenterError]]:
    """Yield the tree of the domain's errors in the order of their names."""
    yield root
    own = [kind for kind in root.__subclasses__() if kind.__module__ == errors.__name__]
    for kind in sorted(own, key=lambda kind: kind.__name__):
        yield from _error_classes(kind)


def _security() -> str:
    rows = [
        [
            f"`{action}`",
            _ACTIONS[action],
            "yes" if action in READER_ACTIONS else "–",
            "yes" if action in OWNER_ACTIONS else "–",
        ]
        for action in DataAction
    ]
    return f"""
## Security

A caller shows a token (RFC 6750, RS256) of the embedded provider or of an external issuer; 401 says where one is to be
had. From beyond the machine the service is reached by https or through a trusted proxy. Roles grant data actions, for
everything or for one partition:

{_table(["data action", "what it allows", "DICOM Data Reader", "DICOM Data Owner"], rows)}
"""


def _configuration() -> str:
    rows = [
        [f"`{setting.name}`", f"`{setting.default}`" if setting.default else "empty", setting.help.replace("|", "\\|")]
        for setting in SETTINGS
        if setting.name.startswith("azure.")
    ]
    return f"""
## Configuration

{_table(["setting", "default", "meaning"], rows)}
"""


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
