"""The page of the reference that is the catalogue of failures."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.routing.catalogue.entry import Entry, Family
from isocenter.routing.catalogue.lookup import ENTRIES, verdict_on
from isocenter.routing.deliveries.verdict import Verdict

_HEADINGS = {
    Family.DIMSE: ("DIMSE: every service", "PS3.7 annex C; what a service has of its own stands below."),
    Family.STORE: ("DIMSE: C-STORE", "PS3.4 B.2.3; other statuses are those of every service."),
    Family.FIND: ("DIMSE: C-FIND", "PS3.4 C.4.1, K.4.1."),
    Family.RETRIEVE: ("DIMSE: C-MOVE and C-GET", "PS3.4 C.4.2, C.4.3."),
    Family.COMMITMENT: ("Storage commitment: reasons of instances", "PS3.3 C.14."),
    Family.REJECTION: ("Rejection of an association", "PS3.8 table 9-21: source and reason."),
    Family.ABORT: ("Abort of an association", "PS3.8 table 9-26: source and reason."),
    Family.CONTEXT: ("Answer to a presentation context", "PS3.8 table 9-18."),
    Family.HTTP: ("HTTP", "RFC 9110; where the answer says nothing of the single instance."),
    Family.STOW_FAILURE: (
        "STOW-RS: failure reason of an instance",
        "PS3.18 I.2 and Azure's DICOM service; 43264 is A900, 43265 A901, 45070 B00E, 45071 B00F, 272 is 0110.",
    ),
    Family.STOW_WARNING: (
        "STOW-RS: warning reason of an instance",
        "PS3.18 I.2 and Azure's DICOM service; 45063 is B007.",
    ),
    Family.TRANSPORT: ("No conversation", "The connection fails before or while something is said."),
    Family.TOKEN: ("Token endpoint", "RFC 6749 5.2."),
    Family.LOCAL: ("This node", "The instance did not leave it."),
    Family.DELIVERY: ("Deliveries", "What the node finds out by itself."),
}
_FOLLOWS = {
    Verdict.DELIVERED: "delivered",
    Verdict.NOTED: "delivered, with a note",
    Verdict.TRANSIENT: "tried again, up to its age limit",
    Verdict.AUTHENTICATION: "a new token once; then the destination is suspended",
    Verdict.MISCONFIGURED: "the destination is suspended and probed; its deliveries wait",
    Verdict.DETERMINISTIC: "on the shelf for people",
    Verdict.DUPLICATE: "compared with what is there",
    Verdict.CONFLICT: "as `on_conflict` says",
    None: "",
}


def render_errors(note: str) -> str:
    """Return the page."""
    lines = [
        "# What failures mean",
        "",
        note,
        "",
        "Each failure that an exchange of images can meet: what happened, who can mend it, what to do. A failure",
        "is noted by family and code, for example `http:503`. An `x` stands for any digit that has no line of its own.",
        "*Then* says what a delivery by C-STORE or STOW-RS does about it by itself.",
        "",
    ]
    for family, (heading, source) in _HEADINGS.items():
        lines += [f"## `{family}` — {heading}", "", source, "", *_table(family), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(family: Family) -> Iterator[str]:
    entries = [entry for entry in ENTRIES if entry.family is family]
    has_verdicts = any(verdict_on(entry) is not None for entry in entries)
    headings = ["code", "name", "what happened", "who can mend it", "what to do", *(["then"] if has_verdicts else [])]
    yield _line(headings)
    yield _line(["---"] * len(headings))
    for entry in entries:
        yield _line([*_cells(entry), *([_FOLLOWS[verdict_on(entry)]] if has_verdicts else [])])


def _cells(entry: Entry) -> list[str]:
    return [f"`{entry.code}`", entry.name, entry.meaning, entry.side.value, entry.remedy]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
