"""The archive as one value: the ports that every use case works on, and its settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.archive.decoding import InProcessFrameDecoder
from isocenter.archive.intake import Intake
from isocenter.archive.metadata_cache import LARGEST_SHARE_OF_ANSWERS, MetadataCache
from isocenter.dicom.shapes import HeaderShapes
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.ports.blobs import BlobStore
from isocenter.ports.clock import Clock
from isocenter.ports.commitments import Commitments
from isocenter.ports.event_cursors import EventCursors
from isocenter.ports.fhir_ledger import FhirLedger
from isocenter.ports.frame_decoder import FrameDecoder
from isocenter.ports.index import InstanceIndex
from isocenter.ports.operations import Operations
from isocenter.ports.partitions import Partitions
from isocenter.ports.performed_steps import PerformedSteps
from isocenter.ports.prefetches import Prefetches
from isocenter.ports.step_messages import StepMessages
from isocenter.ports.watched_studies import WatchedStudies
from isocenter.ports.workitems import Workitems
from isocenter.ports.worklist import Worklist


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """What an operator may change about the archive."""

    duplicate_policy: DuplicatePolicy = DuplicatePolicy.REFUSE
    instance_size_max_bytes: int = 4 * 1024**3
    """The limit of Azure's managed service (dicom-service 2.1)."""
    spool_threshold_bytes: int = 8 * 1024**2
    """An instance above this goes to disk while it arrives, so that memory stays flat."""
    erase_after_s: float = 60.0
    """How long deleted bytes stay for readers that are in the middle of them."""
    transcode_size_max_bytes: int = 100 * 1024**2
    """Above this only the stored form is given (dicom-service 3.2)."""
    zeroes_preambles: bool = False
    """Whether the bytes before a file, which can make it a program or a page as well, are overwritten (S31)."""
    validates_fully: bool = False
    """Refuse by Azure's versions what has any invalid element (`EnableFullDicomItemValidation`)."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Everything a use case of the archive needs."""

    index: InstanceIndex
    blobs: BlobStore
    intake: Intake
    clock: Clock
    metadata_cache: MetadataCache
    settings: ArchiveSettings = ArchiveSettings()
    header_shapes: HeaderShapes = field(default_factory=HeaderShapes)
    metadata_answers: MetadataCache = field(
        default_factory=lambda: MetadataCache(largest_share=LARGEST_SHARE_OF_ANSWERS)
    )
    """Metadata of whole series and studies as they were answered."""
    decoder: FrameDecoder = field(default_factory=InProcessFrameDecoder)
    """A node that serves strangers has one that decodes elsewhere (S30)."""
    worklist: Worklist = field(kw_only=True)
    performed_steps: PerformedSteps = field(kw_only=True)
    commitments: Commitments = field(kw_only=True)
    partitions: Partitions = field(kw_only=True)
    workitems: Workitems = field(kw_only=True)
    operations: Operations = field(kw_only=True)
    event_cursors: EventCursors = field(kw_only=True)
    fhir_ledger: FhirLedger = field(kw_only=True)
    prefetches: Prefetches = field(kw_only=True)
    step_messages: StepMessages = field(kw_only=True)
    watched_studies: WatchedStudies = field(kw_only=True)
