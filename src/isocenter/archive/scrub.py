"""Read every stored byte and check it against the digest that was taken when it came in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobAddress, BlobStore
from isocenter.ports.index import InstanceIndex

PAGE_COUNT = 1000
"""Addresses that are asked for at once: little memory, and few questions."""
REPORT_COUNT_MAX = 1000
"""How many damaged instances are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class DamagedInstance:
    """A stored instance whose bytes no longer fit their digests."""

    instance_key: int
    identifier: InstanceIdentifier
    address: BlobAddress


@dataclass(slots=True)
class ScrubReport:
    """What a scrub found, while it runs and at its end."""

    total_bytes: int = 0
    done_bytes: int = 0
    instances: int = 0
    damaged_count: int = 0
    damaged: list[DamagedInstance] = field(default_factory=list)


def scrub(
    *, index: InstanceIndex, blobs: BlobStore, on_progress: Callable[[ScrubReport], None] | None = None
) -> ScrubReport:
    """Verify the bytes of every stored version of every instance."""
    report = ScrubReport(total_bytes=index.totals().size_bytes)
    after = 0
    while page := index.addresses(after=after, limit=PAGE_COUNT):
        for instance_key, identifier, address in page:
            if not blobs.verify(address):
                _note(report, DamagedInstance(instance_key, identifier, address))
            report.instances += 1
            report.done_bytes += address.length
            if on_progress is not None:
                on_progress(report)
            after = instance_key
    return report


def _note(report: ScrubReport, damaged: DamagedInstance) -> None:
    report.damaged_count += 1
    if len(report.damaged) < REPORT_COUNT_MAX:
        report.damaged.append(damaged)
