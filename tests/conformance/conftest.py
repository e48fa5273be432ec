"""Every adapter of a port, one after the other, through the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from isocenter.ports.blobs import BlobStore
from isocenter.ports.commitments import Commitments
from isocenter.ports.event_cursors import EventCursors
from isocenter.ports.fhir_ledger import FhirLedger
from isocenter.ports.index import InstanceIndex
from isocenter.ports.operations import Operations
from isocenter.ports.performed_steps import PerformedSteps
from isocenter.ports.worklist import Worklist
from isocenter.storage.memory import (
    MemoryBlobStore,
    MemoryCommitments,
    MemoryEventCursors,
    MemoryFhirLedger,
    MemoryInstanceIndex,
    MemoryOperations,
    MemoryPerformedSteps,
    MemoryWorklist,
)
from isocenter.storage.packs import LocalPackBlobStore
from isocenter.storage.sqlite import SqliteInstanceIndex


@pytest.fixture(params=["memory", "packs"])
def blob_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "memory":
        yield MemoryBlobStore()
    else:
        with LocalPackBlobStore(tmp_path / "packs") as store:
            yield store


@pytest.fixture(params=["memory", "sqlite"])
def instance_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InstanceIndex]:
    if request.param == "memory":
        yield MemoryInstanceIndex()
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield index


@dataclass(frozen=True)
class WorkflowStores:
    """The stores of the services around a procedure, which see each other's commits."""

    worklist: Worklist
    performed_steps: PerformedSteps
    commitments: Commitments


@pytest.fixture(params=["memory", "sqlite"])
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WorkflowStores]:
    if request.param == "memory":
        worklist = MemoryWorklist()
        yield WorkflowStores(worklist, MemoryPerformedSteps(worklist), MemoryCommitments())
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield WorkflowStores(index.worklist, index.performed_steps, index.commitments)


@pytest.fixture(params=["memory", "sqlite"])
def operations(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Operations]:
    if request.param == "memory":
        yield MemoryOperations()
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield index.operations


@pytest.fixture(params=["memory", "sqlite"])
def event_cursors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventCursors]:
    if request.param == "memory":
        yield MemoryEventCursors()
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield index.event_cursors


@pytest.fixture(params=["memory", "sqlite"])
def fhir_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FhirLedger]:
    if request.param == "memory":
        yield MemoryFhirLedger()
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield index.fhir_ledger


@pytest.fixture
def worklist(workflow: WorkflowStores) -> Worklist:
    return workflow.worklist


@pytest.fixture
def performed_steps(workflow: WorkflowStores) -> PerformedSteps:
    return workflow.performed_steps


@pytest.fixture
def commitments(workflow: WorkflowStores) -> Commitments:
    return workflow.commitments
