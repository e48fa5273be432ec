"""Sections of the DICOMweb conformance statement about where Azure's documents, its service and the standard part.

What is done here is read from the code wherever it has a value or a function that decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.app.settings_table import SETTINGS
from isocenter.dicomweb.codec.accept import choose_rendered
from isocenter.dicomweb.codec.azure_options import AzureOptions
from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.openapi.answers import PLAIN
from isocenter.dicomweb.codec.qido import STANDARD_LIMIT_MAX
from isocenter.dicomweb.codec.return_tags import default_tags
from isocenter.dicomweb.codec.store_json import DATASET_DOES_NOT_MATCH_SOP_CLASS
from isocenter.domain.errors import (
    CancellationRefused,
    InvalidRequest,
    IsocenterError,
    NotAcceptable,
    WorkitemNotFound,
    WorkitemRefused,
)
from isocenter.domain.identifiers import UID_LENGTH_MAX, Level, is_uid
from isocenter.domain.statuses import statuses_of
from isocenter.ports.index import ChangeAction, ChangeState

_DEFAULTS = AzureOptions()


@dataclass(frozen=True, slots=True)
class Divergence:
    """A point at which Azure's documents and its service differ, and what is done here."""

    number: int
    point: str
    documents: str
    service: str
    here: str
    setting: str = ""


def divergences() -> Sequence[Divergence]:
    """Return the register (dicom-service 0.2)."""
    words = ", ".join(str(one.value) for one in (*ChangeAction, *ChangeState))
    return (
        Divergence(
            1,
            "study of the route is not that of the instance",
            "failure reason 43265",
            "43264",
            str(_DEFAULTS.study_mismatch_reason),
            "azure.study_mismatch_reason",
        ),
        Divergence(
            2,
            "`includefield=all` beside other fields",
            "`all` wins",
            "400",
            "400" if _DEFAULTS.refuses_all_with_others else "`all` wins",
            "azure.include_all_with_others",
        ),
        Divergence(3, "UID grammar", "letters and dashes too", "digits and dots, ends in a digit", _uid_grammar()),
        Divergence(
            4,
            "upload in implicit VR",
            "refused",
            "stored with warning 45063",
            f"stored with warning {DATASET_DOES_NOT_MATCH_SOP_CLASS}",
        ),
        Divergence(5, "`action` and `state` in the change feed", "lower case", "PascalCase", words),
        Divergence(6, "names of fields in the change feed", "PascalCase", "camelCase", "camelCase"),
        Divergence(7, "more than 128 extended query tags", "refused", "503", _status(InvalidRequest())),
        Divergence(8, "update of an unknown workitem", "404", "400", _status(WorkitemNotFound())),
        Divergence(9, "update of a canceled workitem", "400", "409", _status(WorkitemRefused())),
        Divergence(
            10, "cancel request on a claimed or completed workitem", "409", "400", _status(CancellationRefused())
        ),
        Divergence(
            11,
            "retrieved workitem",
            "single part",
            "an object",
            "an array" if _DEFAULTS.workitem_in_array else "an object",
            "azure.workitem_body",
        ),
        Divergence(12, "`Accept: application/jpeg` for pictures", "used in examples", "406", _rendered()),
        Divergence(
            13, "referring physician in a study's default attributes", "(0009,0090)", "(0008,0090)", _referring()
        ),
        Divergence(14, "order of a search", "newest first", "not promised", "newest first"),
        Divergence(
            15,
            "invalid attribute in a sequence, version 2",
            "a warning",
            "a valid attribute of the same tag at top level is dropped",
            "a warning; only what is invalid is left out of metadata",
        ),
        Divergence(16, "switch of exports", "`EnableExtendedExport`", "`EnableExport`", _export(), "azure.export"),
        Divergence(17, "preamble of a stored file", "zeroed", "kept", "kept: downloads are the bytes that were sent"),
        Divergence(18, "answer to a cancel request", "no body", "a sentence", "a sentence, as a string in JSON"),
        Divergence(19, "media type of failures", "JSON", "plain text", f"`{PLAIN}`; about workitems a string in JSON"),
    )


_FROM_THE_STANDARD = (
    (
        "Store under every root",
        "Azure's roots refuse to store what is there; the standard's takes the same bytes again",
    ),
    ("Store by PUT", "replaces what is there; PS3.18 has no such transaction. Offered since version 2"),
    ("Delete, change feed, operations, export, partitions", "not in PS3.18; from Azure's service, under every root"),
    ("Store, XML and metadata with bulk data", "DICOM JSON and XML bodies of PS3.18 10.5 are refused with 415"),
    ("Metadata and search as XML", "`application/dicom+xml` is not given; 406"),
    ("Rendered: annotation, ICC profile, charset", "passed over"),
    ("Presentation states", "not rendered: WADO-URI refuses `presentationUID`"),
    ("Search without `limit`", f"at most {STANDARD_LIMIT_MAX:,} rows, and a `Warning` where there are more"),
    ("Workitems: subscriptions and events", "not offered"),
)
_BEYOND_AZURE = (
    ("bulk data and BulkDataURI", "`bulkdata` under every root; BulkDataURI in metadata under the standard's"),
    ("thumbnails, pictures of a study or series", "under every root"),
    ("WADO-URI, capabilities, HEAD", "under every root"),
    ("`accept` in the query", "under every root"),
    ("pause of an operation", "`PATCH operations/ID`"),
    ("export to a folder", '`"type": "folder"` as destination'),
    ("wildcards, sequences, all attributes, totals in a search", "under the standard's root"),
)


def divergence_sections() -> list[str]:
    """Return the sections."""
    rows = [
        [
            f"D{one.number}",
            one.point,
            one.documents,
            one.service,
            one.here,
            f"`{_known(one.setting)}`" if one.setting else "",
        ]
        for one in divergences()
    ]
    return [
        f"""
## Where Azure's documents and its service differ

{_table(["", "point", "its documents", "its service", "here", "setting"], rows)}
""",
        f"""
## Beyond Azure's service

{_table(["what", "where"], _BEYOND_AZURE)}
""",
        f"""
## Differences from the standard

By Azure's rules the answers differ from PS3.18 as those of Azure's service do. Beside that:

{_table(["what", "how"], _FROM_THE_STANDARD)}
""",
    ]


def _known(name: str) -> str:
    return next(setting.name for setting in SETTINGS if setting.name == name)


def _status(error: IsocenterError) -> str:
    return str(statuses_of(error).http_status)


def _uid_grammar() -> str:
    takes_letters = is_uid("1.a") or is_uid("1-2")
    return "letters and dashes too" if takes_letters else f"digits and dots, ends in a digit, at most {UID_LENGTH_MAX}"


def _rendered() -> str:
    try:
        return choose_rendered("application/jpeg", Dialect.AZURE_V2)
    except NotAcceptable as error:
        return _status(error)


def _referring() -> str:
    tag = next(tag for tag in default_tags(Dialect.AZURE_V2)[Level.STUDY] if tag & 0xFFFF == 0x0090)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _export() -> str:
    default = next(setting.default for setting in SETTINGS if setting.name == "azure.export")
    return f"`{default}` by default"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
