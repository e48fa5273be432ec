"""What performed steps, manifests and storage commitment say must be here of a study, as expectations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_header
from isocenter.dicom.dataset import decode_dataset, values_of
from isocenter.dicom.element_view import ElementView, view_header
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.commitment import Commitment, Side
from isocenter.domain.errors import CorruptInstance, InvalidDataset
from isocenter.domain.performed_step import PerformedStep, PerformedStepState
from isocenter.domain.values import Values, first_text, items
from isocenter.ports.index import InstanceRow
from isocenter.ports.watched_studies import KeptExpectation
from isocenter.routing.completeness.judge import EvidenceKind, Expectation

PERFORMED_SERIES, REFERENCED_IMAGES, REFERENCED_OTHERS = 0x00400340, 0x00081140, 0x00400220
SOP_INSTANCE_UID_REFERENCED, STUDY_INSTANCE_UID = 0x00081155, 0x0020000D
KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
CONCEPT_NAME, CODE_VALUE, EVIDENCE = 0x0040A043, 0x00080100, 0x0040A375
REFERENCED_SERIES, REFERENCED_SOP = 0x00081115, 0x00081199
MANIFEST = "113030"
"""The title of a key object selection that lists a whole study (DCM); other selections name a few images of one."""


def of_step(step: PerformedStep) -> Iterator[KeptExpectation]:
    """Yield what a performed step says, for each study that it names."""
    values = values_of(decode_dataset(step.content, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN)))
    uids = tuple(dict.fromkeys(_performed(values)))
    for study in dict.fromkeys(reference.study_instance_uid for reference in step.scheduled_steps):
        yield KeptExpectation(
            study,
            EvidenceKind.PERFORMED_STEP.value,
            f"performed step {step.sop_instance_uid}",
            uids,
            is_final=step.state is not PerformedStepState.IN_PROGRESS,
            noted_at=step.changed_at,
        )


def _performed(values: Values) -> Iterator[str]:
    for series in items(values, PERFORMED_SERIES):
        for tag in (REFERENCED_IMAGES, REFERENCED_OTHERS):
            for reference in items(series, tag):
                uid = first_text(reference, SOP_INSTANCE_UID_REFERENCED)
                if uid:
                    yield uid


def of_manifests(archive: Archive, rows: Iterable[InstanceRow]) -> Iterator[Expectation]:
    """Yield what manifests among the instances of a study say of it."""
    for row in rows:
        if row.sop_class_uid != KEY_OBJECT_SELECTION:
            continue
        try:
            view = view_header(read_header(archive, row), frozenset({CONCEPT_NAME, EVIDENCE}))
            title = next((one.text_of(CODE_VALUE).strip() for one in view.items_of(CONCEPT_NAME)), "")
            uids = frozenset(_listed(view, row.identifier.study_instance_uid)) if title == MANIFEST else frozenset()
        except (CorruptInstance, InvalidDataset):  # one that cannot be read says nothing
            continue
        if uids:
            yield Expectation(EvidenceKind.COUNT, f"manifest {row.identifier.sop_instance_uid}", uids)


def _listed(view: ElementView, study_instance_uid: str) -> Iterator[str]:
    for study in view.items_of(EVIDENCE):
        if study.text_of(STUDY_INSTANCE_UID).strip(" \0") != study_instance_uid:
            continue
        for series in study.items_of(REFERENCED_SERIES):
            for instance in series.items_of(REFERENCED_SOP):
                yield instance.text_of(SOP_INSTANCE_UID_REFERENCED).strip(" \0")


def of_commitments(commitments: Sequence[Commitment], here: frozenset[str], *, since: float) -> Iterator[Expectation]:
    """Yield what peers asked commitment for, since a study began, of lists that name something of it."""
    for one in commitments:
        named = frozenset(reference.sop_instance_uid for reference in one.request.references)
        if one.side is Side.PROVIDER and one.requested_at >= since and named & here:
            yield Expectation(EvidenceKind.COMMITMENT, f"a commitment request of {one.peer_ae_title}", named)
