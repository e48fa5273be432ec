"""Index stored instances by new extended query tags, as an operation (dicom-service 7.3).

    newest instance ──batch──▶ … ──batch──▶ oldest instance ──▶ tags are ready

Instances that come in meanwhile are indexed as they come. A batch commits at once; a kill loses one at most, and to
take it again changes nothing. Values that cannot be indexed become errors of their tag and never end the operation.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass

import orjson
import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.operations import Outcome, Step
from isocenter.dicom.query_tag_values import Finding, HeaderFinder
from isocenter.dicom.walk import PIXEL_HEADER_LENGTH
from isocenter.domain.errors import CorruptInstance, InvalidDataset
from isocenter.domain.operation import PERCENT_MAX, Operation, OperationStatus, OperationType
from isocenter.domain.query_tag import InstanceFindings, QueryTag, QueryTagStatus
from isocenter.ports.blobs import BLOCK_SIZE_BYTES
from isocenter.ports.query_tags import StoredHeader

_log = structlog.get_logger()

BATCH_COUNT = 500
"""Instances of one commit: a tenth of a second of reading, and some milliseconds for which stores wait."""


@dataclass(slots=True)
class _Progress:
    """What is kept between steps."""

    highest: int
    below: int

    def step(self) -> Step:
        walked = self.highest - self.below + 1
        percent = PERCENT_MAX if not self.highest else walked * PERCENT_MAX // self.highest
        return Step(orjson.dumps(asdict(self)), min(percent, PERCENT_MAX - 1))


class QueryTagReindexer:
    """Carry out reindexes."""

    type = OperationType.REINDEX

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._query_tags = archive.index.query_tags

    def run(self, operation: Operation) -> Generator[Step, None, Outcome]:
        """Go on from the newest instance that is left to the oldest."""
        tags = tuple(one for one in self._query_tags.all() if _is_of(one, operation))
        finder = HeaderFinder(tags)
        kept = orjson.loads(operation.checkpoint)
        if kept is None:
            highest = self._query_tags.highest_instance_key()
            progress = _Progress(highest, highest + 1)
            yield progress.step()
        else:
            progress = _Progress(**kept)
        while tags and (headers := self._query_tags.stored_below(progress.below, limit=BATCH_COUNT)):
            findings = [self._look_at(header, finder) for header in sorted(headers, key=_place)]
            findings.sort(key=_instance_key, reverse=True)
            self._query_tags.take(findings, now=self._archive.clock.now().timestamp())
            progress.below = headers[-1].instance_key
            yield progress.step()
        self._query_tags.finish([one.query_tag_key for one in tags])
        return Outcome(OperationStatus.SUCCEEDED)

    def _look_at(self, header: StoredHeader, finder: HeaderFinder) -> InstanceFindings:
        """Return what an instance has; nothing of one that cannot be read, which is said aloud."""
        length = header.header_length + PIXEL_HEADER_LENGTH
        whole_blocks = -(-length // BLOCK_SIZE_BYTES) * BLOCK_SIZE_BYTES  # these are verified without a second read
        try:
            content = self._archive.blobs.read(header.address, start=0, length=whole_blocks)
            found = finder.find(content, size_bytes=header.address.length)
        except (CorruptInstance, InvalidDataset) as error:
            _log.error("query_tags.header_unreadable", instance_key=header.instance_key, error=type(error).__name__)
            return InstanceFindings(header.instance_key, {}, {})
        valid = {key: one for key, one in found.items() if f"{one.tag:08X}" not in header.invalid_paths}
        return InstanceFindings(header.instance_key, _values(valid), _error_codes(valid))


def _place(header: StoredHeader) -> tuple[int, int]:
    """Return what puts headers in the order in which they lie in packs, which disks read fastest."""
    return header.address.container, header.address.offset


def _instance_key(findings: InstanceFindings) -> int:
    return findings.instance_key


def _is_of(query_tag: QueryTag, operation: Operation) -> bool:
    is_added = query_tag.status is QueryTagStatus.ADDING
    return is_added and query_tag.operation_id == operation.operation_id


def _values(found: Mapping[int, Finding]) -> dict[int, str]:
    return {key: one.value for key, one in found.items() if one.value and one.stored_objection is None}


def _error_codes(found: Mapping[int, Finding]) -> dict[int, int]:
    objections = ((key, one.stored_objection) for key, one in found.items())
    return {key: int(objection.code) for key, objection in objections if objection is not None}
