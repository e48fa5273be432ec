"""The work list service with another AE behind it, asked by pynetdicom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE

from isocenter.archive.worklist import add_items, make_item_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dicom.model import Encoding
from isocenter.dimse.scp.worklist import MODALITY_WORKLIST_FIND, WorklistProvider
from isocenter.dimse.scu.errors import RequestFailed
from isocenter.domain.errors import Unavailable
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.worklist import StepState, WorklistEntry
from isocenter.storage.memory import MemoryWorklist
from tests.support.dicom_files import quiet_pydicom
from tests.support.dimse_thread import AE_TITLE, HOST, DimseNode, Served, dimse_node

SOURCE = "ris RIS"


@dataclass
class Behind:
    """Another AE as a test wants it: what it answers, or why it does not."""

    entries: list[WorklistEntry] | None = None
    error: Exception | None = None
    asked: list[bytes] = field(default_factory=list)
    source: str = SOURCE

    async def ask(self, identifier: bytes, encoding: Encoding) -> list[WorklistEntry] | None:
        self.asked.append(identifier)
        if self.error is not None:
            raise self.error
        return self.entries


def _add(worklist: MemoryWorklist, name: str, *, source: str) -> WorklistEntry:
    step = {"Modality": {"Value": ["CT"]}, "ScheduledProcedureStepID": {"Value": ["S1"]}}
    document: dict[str, Any] = {
        "PatientID": {"Value": [name]},
        "StudyInstanceUID": {"Value": [f"1.2.{len(name)}"]},
        "ScheduledProcedureStepSequence": {"Value": [step]},
    }
    item = make_item_of(parse_dicom_json(document), source=source)
    add_items(worklist, LOCAL_OWNER, [item], now=0.0)
    return WorklistEntry(
        0, 0, 0, StepState.SCHEDULED, item.content, item.transfer_syntax_uid, item.values, 0.0, item.source
    )


@contextmanager
def _serving(worklist: MemoryWorklist, behind: Behind) -> Iterator[DimseNode]:
    with dimse_node(lambda _: Served([WorklistProvider(worklist, upstream=behind).service()])) as node:
        yield node


def _find(node: DimseNode, **keys: str) -> tuple[list[str], int]:
    """Return the patients that are answered, and the final status."""
    identifier = Dataset()
    identifier.PatientID = ""
    with quiet_pydicom():
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
    entity = AE(ae_title="CT1")
    entity.add_requested_context(MODALITY_WORKLIST_FIND)
    association = entity.associate(HOST, node.port, ae_title=AE_TITLE)
    assert association.is_established
    answers = list(association.send_c_find(identifier, MODALITY_WORKLIST_FIND))
    association.release()
    return [answer.PatientID for _, answer in answers if answer is not None], answers[-1][0].Status


def test_what_the_other_answers_comes_first_and_what_is_kept_here_besides_behind_it() -> None:
    worklist = MemoryWorklist()
    entry = _add(worklist, "THEIRS", source=SOURCE)
    _add(worklist, "OURS", source="file")
    with _serving(worklist, Behind([entry])) as node:
        assert _find(node) == (["THEIRS", "OURS"], 0x0000)


def test_what_the_other_answered_lately_stands_in_for_it() -> None:
    worklist = MemoryWorklist()
    _add(worklist, "THEIRS", source=SOURCE)
    _add(worklist, "OURS", source="file")
    with _serving(worklist, Behind(None)) as node:
        assert sorted(_find(node)[0]) == ["OURS", "THEIRS"]
        assert _find(node, PatientID="THEIRS")[0] == ["THEIRS"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("The RIS is away."), 0xA700), (RequestFailed("It wants no wild cards.", status=0xA900), 0xA900)],
)
def test_why_there_is_no_answer_reaches_the_modality(error: Exception, status: int) -> None:
    worklist = MemoryWorklist()
    _add(worklist, "OURS", source="file")
    with _serving(worklist, Behind(error=error)) as node:
        assert _find(node) == ([], status)


def test_what_cannot_be_asked_here_is_not_asked_there() -> None:
    behind = Behind([])
    with _serving(MemoryWorklist(), behind) as node:
        _, status = _find(node, StudyDate="yesterday")
        assert status == 0xA900
    assert behind.asked == []
