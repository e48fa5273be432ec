"""Sections of the conformance statement about refusals: of associations, of contexts, and statuses of responses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isocenter.dimse.message import statuses
from isocenter.dimse.message.messages import CMoveRsp
from isocenter.dimse.scp import retrieve, suboperations
from isocenter.dimse.scu.status_texts import describe_status
from isocenter.dimse.ul import pdu
from isocenter.domain import errors
from isocenter.domain.statuses import statuses_of

_REJECTIONS = (
    (pdu.REJECT_CALLED_AE_TITLE, "the called AE title is not the node's (`dicom.called_ae_title`)"),
    (
        pdu.REJECT_CALLING_AE_TITLE,
        "the caller is not in `dicom.remotes`, or calls from another address, or without its certificate",
    ),
    (pdu.REJECT_APPLICATION_CONTEXT, "the application context is not that of DICOM"),
    (pdu.REJECT_PROTOCOL_VERSION, "the protocol version is not 1"),
    (pdu.REJECT_TEMPORARY_CONGESTION, "`dicom.associations_max` are open, or the node stops"),
    (pdu.REJECT_LOCAL_LIMIT_EXCEEDED, "the caller has `dicom.associations_per_ae_max` open"),
    (pdu.REJECT_REQUEST_BEYOND_LIMIT, "the request itself is longer or has more items than a node takes"),
)
"""When the node answers each."""
_CONTEXTS = (
    (pdu.ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED, "no service for the SOP class, or the caller has no right to it"),
    (pdu.ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED, "none of the transfer syntaxes is known"),
)
_RETRIEVE = (
    statuses.SUCCESS,
    statuses.PENDING,
    statuses.CANCEL,
    suboperations.SOME_FAILED,
    suboperations.CANNOT_COUNT,
    suboperations.ALL_FAILED,
    suboperations.UNKNOWN_DESTINATION,
    retrieve.IDENTIFIER_DOES_NOT_MATCH,
    retrieve.UNABLE_TO_PROCESS,
)
_PLAIN = {statuses.SUCCESS: "done", statuses.PENDING: "it goes on; counters say how far"}


def status_sections() -> list[str]:
    """Return the sections."""
    return [_rejections(), _statuses()]


def _rejections() -> str:
    rejected = [
        [
            pdu.RejectResult(answer.result).name.lower(),
            f"{int(answer.source)} {pdu.RejectSource(answer.source).name.lower().replace('_', ' ')}",
            str(answer.reason),
            when,
        ]
        for answer, when in _REJECTIONS
    ]
    refused = [[str(result.value), result.name.lower().replace("_", " "), when] for result, when in _CONTEXTS]
    return f"""
## Rejections

What an operator does about each stands in [what a rejection means](../how-to/rejections.md).

{_table(["result", "source", "reason", "when"], rejected)}

### Presentation contexts

{_table(["result", "name", "when"], refused)}
"""


def _statuses() -> str:
    by_status: dict[int, list[str]] = {}
    for kind in _error_classes(errors.IsocenterError):
        by_status.setdefault(statuses_of(kind()).dimse_status, []).append(kind.__name__)
    rows = [
        [f"`{status:04X}`", ", ".join(sorted(names)), _meaning(names[0])] for status, names in sorted(by_status.items())
    ]
    retrieval = [[f"`{status:04X}`", _retrieve_meaning(status)] for status in _RETRIEVE]
    return f"""
## Statuses

A failure carries a comment (0000,0902) that says more; identifiers may stand in it, other values of attributes never.

{_table(["status", "errors", "for example"], rows)}

### C-MOVE and C-GET

{_table(["status", "meaning"], retrieval)}

The counters of sub-operations add up to their total in every response; the final one names the instances that failed.
"""


def _error_classes(root: type[errors.IsocenterError]) -> Iterable[type[errors.IsocenterError]]:
    """Yield the tree of the domain's errors in the order of their names."""
    yield root
    own = [kind for kind in root.__subclasses__() if kind.__module__ == errors.__name__]
    for kind in sorted(own, key=lambda kind: kind.__name__):
        yield from _error_classes(kind)


def _meaning(name: str) -> str:
    return str(getattr(errors, name).__doc__).splitlines()[0]


def _retrieve_meaning(status: int) -> str:
    if status in _PLAIN:
        return _PLAIN[status]
    return describe_status(CMoveRsp(message_id_being_responded_to=1, status=status)).partition(", ")[2]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
