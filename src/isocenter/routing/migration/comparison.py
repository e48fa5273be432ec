"""What the target has against what it was sent: missing, extra, different, and what could not be compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """What is wrong with an instance at the target."""

    MISSING = "missing"
    """It was moved, and the target does not list it."""
    EXTRA = "extra"
    """The target lists it in a study that was moved, and it was not moved by this job."""
    DIFFERENT = "different"
    """What comes back has other pixels, or for an instance without pixels another content."""
    UNREADABLE = "unreadable"
    """The target lists it, and does not give it back."""


class Comparison(StrEnum):
    """What came of comparing one instance with its digest."""

    SAME = "same"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not-comparable"
    """The target keeps it in another transfer syntax: bytes cannot be compared, pixels would have to be decoded."""


@dataclass(frozen=True, slots=True)
class InstanceDigest:
    """What tells the content of an instance from others."""

    family: str
    """What can be compared with what: `native-le`, `native-be`, a transfer syntax of compressed pixels, `no-pixels`."""
    sha256: str


def compare_sets(moved: Collection[str], there: Collection[str]) -> dict[str, Finding]:
    """Return what is wrong, by SOP Instance UID, where the target lists what it has of a study."""
    moved, there = set(moved), set(there)
    missing = dict.fromkeys(sorted(moved - there), Finding.MISSING)
    return missing | dict.fromkeys(sorted(there - moved), Finding.EXTRA)


def compare_digests(sent: InstanceDigest, there: InstanceDigest) -> Comparison:
    """Return whether an instance came back as it was sent."""
    if sent.family != there.family:
        return Comparison.NOT_COMPARABLE
    return Comparison.SAME if sent.sha256 == there.sha256 else Comparison.DIFFERENT
