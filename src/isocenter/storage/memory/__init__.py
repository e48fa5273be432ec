"""The slow, obvious reference of both ports, in memory.

Holds: a blob store, an index, a work list and what goes with it, that the others are compared with.
Never: keeps anything beyond the process, or is clever.
Start reading at: `index.py`.
"""

from __future__ import annotations

from isocenter.storage.memory.blobs import MemoryBlobStore
from isocenter.storage.memory.commitments import MemoryCommitments
from isocenter.storage.memory.event_cursors import MemoryEventCursors
from isocenter.storage.memory.fhir_ledger import MemoryFhirLedger
from isocenter.storage.memory.identity import MemoryIdentityStore
from isocenter.storage.memory.index import MemoryInstanceIndex
from isocenter.storage.memory.operations import MemoryOperations
from isocenter.storage.memory.partitions import MemoryPartitions
from isocenter.storage.memory.performed_steps import MemoryPerformedSteps
from isocenter.storage.memory.prefetches import MemoryPrefetches
from isocenter.storage.memory.query_tags import MemoryQueryTags
from isocenter.storage.memory.step_messages import MemoryStepMessages
from isocenter.storage.memory.watched_studies import MemoryWatchedStudies
from isocenter.storage.memory.workitems import MemoryWorkitems
from isocenter.storage.memory.worklist import MemoryWorklist

__all__ = [
    "MemoryBlobStore",
    "MemoryCommitments",
    "MemoryEventCursors",
    "MemoryFhirLedger",
    "MemoryIdentityStore",
    "MemoryInstanceIndex",
    "MemoryOperations",
    "MemoryPartitions",
    "MemoryPerformedSteps",
    "MemoryPrefetches",
    "MemoryQueryTags",
    "MemoryStepMessages",
    "MemoryWatchedStudies",
    "MemoryWorkitems",
    "MemoryWorklist",
]
