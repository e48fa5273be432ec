"""The entry of any code: its own, else that of the range it lies in, else that of what nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from isocenter.routing.catalogue import _table_dimse, _table_local, _table_web
from isocenter.routing.catalogue.entry import Entry, Family
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    HttpAnswered,
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.verdict import Verdict, judge

ENTRIES: tuple[Entry, ...] = (*_table_dimse.ENTRIES, *_table_web.ENTRIES, *_table_local.ENTRIES)
"""All of them, in the order of the document."""
_GENERAL = {Family.STORE: Family.DIMSE, Family.FIND: Family.DIMSE, Family.RETRIEVE: Family.DIMSE}
"""Services whose other statuses are those of every service."""
_WHOLLY_UNKNOWN = ("xxxx", "xxx", "x.x", "x", "*")


@lru_cache(maxsize=1)
def _by_key() -> dict[str, Entry]:
    return {entry.key: entry for entry in ENTRIES}


def entry_of(family: Family, code: str) -> Entry:
    """Return what is known of a code; of one that nobody knows, what is to be done then."""
    for each in (family, _GENERAL.get(family)):
        if each is None:
            continue
        for candidate in _candidates(code):
            found = _by_key().get(f"{each}:{candidate}")
            if found is not None:
                return found
    return _unknown(family)


def entry_of_note(note: str) -> Entry:
    """Return what is known of the code that a delivery notes, such as `http:503`."""
    family, _, code = note.partition(":")
    return entry_of(Family(family), code) if family in set(Family) else _unknown(Family.DELIVERY)


def report_of(entry: Entry) -> Report | None:
    """Return a report that an entry stands for, of a range one that lies in it; None for codes of nothing sent."""
    return _sample(entry)


def _candidates(code: str) -> list[str]:
    """Return a code with ever more of its end left open."""
    if "." in code:
        source, _, _ = code.partition(".")
        return [code, f"{source}.x"]
    open_ended = [code[:length] + "x" * (len(code) - length) for length in range(len(code) - 1, 0, -1)]
    return [code, *open_ended] if code.isalnum() and len(code) <= 4 else [code]


def _unknown(family: Family) -> Entry:
    """Return the last resort of a family, which every family has."""
    found = (_by_key().get(f"{family}:{wholly}") for wholly in _WHOLLY_UNKNOWN)
    return next((entry for entry in found if entry is not None), _by_key()["dimse:xxxx"])


def code_of(report: Report) -> tuple[Family, str]:
    """Return where a report stands in the catalogue."""
    match report:
        case DimseAnswered(status):
            return Family.STORE, f"{status & 0xFFFF:04X}"
        case AssociationRejected(_, source, reason):
            return Family.REJECTION, f"{source}.{reason}"
        case AssociationAborted(source, reason):
            return Family.ABORT, f"{source}.{reason}"
        case ContextRefused(result):
            return Family.CONTEXT, str(result)
        case HttpAnswered(status):
            return Family.HTTP, str(status)
        case InstanceStored(reason):
            return (Family.STOW_WARNING, f"{reason & 0xFFFF:04X}") if reason else (Family.DELIVERY, "stored")
        case InstanceFailed(reason):
            return Family.STOW_FAILURE, f"{reason & 0xFFFF:04X}"
        case TokenRefused(error):
            return Family.TOKEN, error
        case TransportFailed(fault) | LocalFailed(fault):
            return Family.TRANSPORT if isinstance(report, TransportFailed) else Family.LOCAL, fault.value
        case InstanceUnmentioned() | InstanceDiffers() | InstanceIdentical():
            return Family.DELIVERY, _OWN_CODES[type(report)]


_OWN_CODES: dict[type, str] = {
    InstanceUnmentioned: "unmentioned",
    InstanceDiffers: "different",
    InstanceIdentical: "identical",
}


def explain_report(report: Report) -> Entry:
    """Return the entry of what an attempt came to."""
    return entry_of(*code_of(report))


def verdict_on(entry: Entry) -> Verdict | None:
    """Return what a delivery does about a code, None for codes that no delivery meets."""
    report = _sample(entry)
    return None if report is None else judge(report).verdict


def _sample(entry: Entry) -> Report | None:
    """Return a report of an entry, of a range one that lies in it; None for the last resorts and other families."""
    make = _SAMPLES.get(entry.family)
    if make is None or (entry.code in _WHOLLY_UNKNOWN and entry.family in _WITHOUT_SAMPLE):
        return None
    return make(entry.code.replace("x", "0") if entry.family in _NUMBERED else entry.code)


_NUMBERED = frozenset(
    {
        Family.DIMSE,
        Family.STORE,
        Family.REJECTION,
        Family.CONTEXT,
        Family.HTTP,
        Family.STOW_FAILURE,
        Family.STOW_WARNING,
    }
)
_WITHOUT_SAMPLE = frozenset({Family.DIMSE, Family.REJECTION, Family.HTTP})
"""A number that the last resort of these stands for would be one that is known."""
_SAMPLES: dict[Family, Callable[[str], Report]] = {
    Family.DIMSE: lambda code: DimseAnswered(int(code, 16)),
    Family.STORE: lambda code: DimseAnswered(int(code, 16)),
    Family.REJECTION: lambda code: AssociationRejected(1, int(code[0]), int(code[2])),
    Family.ABORT: lambda code: AssociationAborted(2, 0),
    Family.CONTEXT: lambda code: ContextRefused(int(code)),
    Family.HTTP: lambda code: HttpAnswered(int(code)),
    Family.STOW_FAILURE: lambda code: InstanceFailed(int(code, 16)),
    Family.STOW_WARNING: lambda code: InstanceStored(int(code, 16) or 1),
    Family.TRANSPORT: lambda code: TransportFailed(TransportFault(code)),
    Family.TOKEN: TokenRefused,
    Family.LOCAL: lambda code: LocalFailed(LocalFault(code)),
}
