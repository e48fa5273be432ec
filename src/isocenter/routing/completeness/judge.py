"""Judge whether a study is whole: the strongest evidence that fires is told; one that says no makes silence longer.

1  somebody said so
2  its performed procedure steps are completed, and every image that they name is here
3  as many instances are here as were announced
4  a storage commitment was asked for it, and everything that was named is here
5  nothing came for the quiet time of its device and modality
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from isocenter.routing.completeness.quiet import QUIET_MAX_S


class EvidenceKind(StrEnum):
    """What tells that a study is whole, the strongest first."""

    REQUEST = "request"
    PERFORMED_STEP = "performed step"
    COUNT = "count"
    COMMITMENT = "commitment"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one source says must be here."""

    kind: EvidenceKind
    origin: str
    """Who says it: a performed step, a source, a transaction."""
    sop_instance_uids: frozenset[str] = frozenset()
    count: int = 0
    is_final: bool = True
    """More of it may still come: a step that is in progress."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A study as it is here now; times are seconds since the epoch."""

    sop_instance_uids: frozenset[str]
    last_at: float
    quiet_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a study is whole, by which evidence, in words."""

    is_complete: bool
    evidence: EvidenceKind | None
    told: str
    look_at: float | None = None
    """When to judge again though nothing happens."""


def judge(snapshot: Snapshot, expectations: Sequence[Expectation], *, now: float) -> Verdict:
    """Return whether a study is whole."""
    objections: list[str] = []
    for kind in (EvidenceKind.REQUEST, EvidenceKind.PERFORMED_STEP, EvidenceKind.COUNT, EvidenceKind.COMMITMENT):
        of_kind = [one for one in expectations if one.kind is kind]
        if not of_kind:
            continue
        objection = next((text for one in of_kind if (text := _objection(one, snapshot))), "")
        if not objection:
            return Verdict(True, kind, _told(kind, of_kind, snapshot))
        objections.append(objection)
    return _by_silence(snapshot, objections, now)


def _objection(expected: Expectation, snapshot: Snapshot) -> str:
    """Return why what one source says is not fulfilled, an empty text where it is."""
    if not expected.is_final:
        return f"{expected.origin} is in progress"
    here = snapshot.sop_instance_uids
    if expected.sop_instance_uids:
        missing = len(expected.sop_instance_uids - here)
        named = len(expected.sop_instance_uids)
        return f"{missing} of {named} instances that {expected.origin} names are missing" if missing else ""
    if expected.kind is EvidenceKind.PERFORMED_STEP:
        return f"{expected.origin} names no instances"
    if expected.count and len(here) < expected.count:
        return f"{len(here)} of {expected.count} instances that {expected.origin} tells of are here"
    return ""


def _told(kind: EvidenceKind, fulfilled: Sequence[Expectation], snapshot: Snapshot) -> str:
    origins = ", ".join(dict.fromkeys(one.origin for one in fulfilled))
    count = len(snapshot.sop_instance_uids)
    return {
        EvidenceKind.REQUEST: f"{origins} asked to treat it as complete",
        EvidenceKind.PERFORMED_STEP: f"{origins} completed, and all that is named is here",
        EvidenceKind.COUNT: f"{count} instances are here, as {origins} tells",
        EvidenceKind.COMMITMENT: f"all that {origins} names is here",
    }[kind]


def _by_silence(snapshot: Snapshot, objections: Iterable[str], now: float) -> Verdict:
    """Let silence decide: after the learned time, or after the longest one where something stronger says no."""
    objection = next(iter(objections), "")
    wait_s = QUIET_MAX_S if objection else snapshot.quiet_s
    ends_at = snapshot.last_at + wait_s
    if now >= ends_at:
        though = f", though {objection}" if objection else ""
        return Verdict(True, EvidenceKind.QUIET, f"nothing came for {wait_s:.0f} s{though}")
    waits_for = objection or f"quiet for {wait_s:.0f} s"
    return Verdict(False, None, f"waits: {waits_for}", look_at=ends_at)
