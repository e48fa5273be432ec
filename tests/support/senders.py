"""Instances to be sent, and what senders reported of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from isocenter.app.senders.converting import Converter
from isocenter.archive.decoding import InProcessFrameDecoder
from isocenter.archive.identify import SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from isocenter.dicom.scan import scan_instance
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.routing.deliveries.report import Report
from isocenter.routing.deliveries.sender import Outgoing, Sender
from tests.support.instances import identify
from tests.support.small_instances import make_instance

SERIES_INSTANCE_UID = 0x0020000E
CONVERTER = Converter(InProcessFrameDecoder())
PIECE_BYTES = 1024**2


@dataclass
class Reports:
    """What came of each instance, in the order in which it was told."""

    told: list[tuple[int, Report, str]] = field(default_factory=list)
    on_each: Callable[[Outgoing], None] = lambda outgoing: None

    def __call__(self, outgoing: Outgoing, report: Report, detail: str) -> None:
        self.told.append((outgoing.delivery_key, report, detail))
        self.on_each(outgoing)

    @property
    def reports(self) -> list[Report]:
        return [report for _, report, _ in self.told]

    @property
    def by_key(self) -> dict[int, Report]:
        return {key: report for key, report, _ in self.told}

    @property
    def details(self) -> list[str]:
        return [detail for _, _, detail in self.told]


def outgoing_of(content: bytes, key: int = 1, *, calling_ae_title: str = "") -> Outgoing:
    """Return a Part 10 file as it is handed to a sender."""
    wanted = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID})
    scanned = scan_instance(content, wanted=wanted)
    found = scanned.attributes
    return Outgoing(
        delivery_key=key,
        identifier=InstanceIdentifier(found[STUDY_INSTANCE_UID], found[SERIES_INSTANCE_UID], found[SOP_INSTANCE_UID]),
        sop_class_uid=found[SOP_CLASS_UID],
        transfer_syntax_uid=scanned.encoding.transfer_syntax_uid,
        size_bytes=len(content),
        calling_ae_title=calling_ae_title,
        read=lambda: _pieces(content),
    )


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


def small_batch(count: int, *, first: int = 1, calling_ae_title: str = "") -> list[Outgoing]:
    """Return small CT images, keys and instances counted from `first`."""
    return [
        outgoing_of(
            make_instance(identify(instance=number), seed=number).content, number, calling_ae_title=calling_ae_title
        )
        for number in range(first, first + count)
    ]


def sent(sender: Sender, batch: Sequence[Outgoing]) -> Reports:
    """Send a batch and return what was reported."""
    reports = Reports()
    sender.send(batch, reports)
    return reports
