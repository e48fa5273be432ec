"""Exports to a folder: bytes as they are stored, what is missing told, nothing outside of the folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.archive.export import Exporter, ExportRequest
from isocenter.archive.operations import OperationDesk, OperationRunner
from isocenter.domain.errors import Forbidden, InvalidRequest, PeerUnreachable
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier, Scope
from isocenter.domain.operation import Operation, OperationStatus
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.ports.export_sink import ExportDestination, ExportSink
from isocenter.storage.sinks.folder import FolderSink
from isocenter.storage.sinks.open_sink import SinkFolder
from isocenter.storage.sinks.secrets import SecretFiles
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

TIMEOUT_S = 30
HERE = ExportDestination(folder="out")


@dataclass
class Desk:
    """An archive with three instances, and exports from it."""

    archive: Archive
    folder: Path
    contents: dict[InstanceIdentifier, bytes]

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def exporter(self, open_sink: Any = None) -> Exporter:
        return Exporter(
            self.archive,
            open_sink=open_sink or SinkFolder(self.folder / "exports"),
            secrets=SecretFiles(self.secrets),
        )

    @contextmanager
    def running(self, exporter: Exporter) -> Iterator[OperationDesk]:
        runner = OperationRunner(self.archive.operations, self.archive.clock, [exporter])
        try:
            yield OperationDesk(self.archive.operations, runner, self.archive.clock)
        finally:
            runner.close()

    def export(self, *scopes: Scope, everything: bool = False, exporter: Exporter | None = None) -> Operation:
        exporter = exporter or self.exporter()
        with self.running(exporter) as desk:
            request = ExportRequest(None if everything else scopes, HERE, DEFAULT_PARTITION)
            started = exporter.start(desk, LOCAL_OWNER, request)
            return self.wait(started.operation.operation_id)

    def wait(self, operation_id: str) -> Operation:
        ended = threading.Event()
        for _ in range(TIMEOUT_S * 100):
            operation = self.archive.operations.find(operation_id)
            assert operation is not None
            if operation.status.is_final:
                return operation
            ended.wait(0.01)
        raise AssertionError("the operation did not end in time")

    def exported(self, operation: Operation) -> dict[str, bytes]:
        root = self.folder / "exports" / "out" / operation.operation_id
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    instances = [make_instance(identify(number)) for number in (1, 2, 3)]
    with memory_archive() as archive, capture_logs():
        for instance in instances:
            store(archive, instance.content)
        yield Desk(archive, tmp_path, {instance.identifier: instance.content for instance in instances})


def _path(identifier: InstanceIdentifier) -> str:
    one = identifier
    return f"results/{one.study_instance_uid}/{one.series_instance_uid}/{one.sop_instance_uid}.dcm"


def test_what_is_named_is_there_byte_for_byte_and_what_is_missing_is_told(desk: Desk) -> None:
    one = identify(1)
    ended = desk.export(Scope(one.study_instance_uid), Scope("1.2.3"), Scope("1.2", "3"), Scope("1.2", "3", "4"))
    files = desk.exported(ended)
    lines = [orjson.loads(line) for line in files.pop("errors.log").splitlines()]
    expected = {
        _path(identifier): content
        for identifier, content in desk.contents.items()
        if identifier.study_instance_uid == one.study_instance_uid
    }
    assert files == expected
    assert [(line["identifier"], line["error"]) for line in lines] == [
        ("1.2.3", "The specified study cannot be found."),
        ("1.2/3", "The specified series cannot be found."),
        ("1.2/3/4", "The specified instance cannot be found."),
    ]
    results = orjson.loads(ended.results)
    assert ended.status is OperationStatus.SUCCEEDED
    assert (results["exported"], results["skipped"]) == (len(expected), 3)
    assert results["errorHref"].endswith(f"{ended.operation_id}/errors.log")
    assert ended.percent_complete is None


def test_without_names_everything_is_exported(desk: Desk) -> None:
    files = desk.exported(desk.export(everything=True))
    assert files.pop("errors.log") == b""
    assert files == {_path(identifier): content for identifier, content in desk.contents.items()}


def test_instances_that_were_written_are_counted(desk: Desk) -> None:
    exporter = desk.exporter()
    desk.export(Scope("1.2.3"), everything=True, exporter=exporter)
    assert exporter.counts.exported == len(desk.contents)


def test_an_instance_is_named_alone(desk: Desk) -> None:
    files = desk.exported(desk.export(scope_of(identify(2))))
    assert set(files) == {"errors.log", _path(identify(2))}


@pytest.mark.parametrize("name", ["..", "../elsewhere", "/etc", "a/../../b", "a\0b"])
def test_nothing_is_written_outside_of_the_folder_for_exports(desk: Desk, name: str) -> None:
    exporter = desk.exporter()
    with desk.running(exporter) as operations, pytest.raises(InvalidRequest):
        exporter.start(operations, LOCAL_OWNER, ExportRequest(None, ExportDestination(folder=name), DEFAULT_PARTITION))
    assert not desk.secrets.exists()


def test_who_may_only_read_may_not_export(desk: Desk) -> None:
    exporter = desk.exporter()
    with desk.running(exporter) as operations, pytest.raises(Forbidden):
        exporter.start(operations, Principal("reader", READER_ACTIONS), ExportRequest(None, HERE, DEFAULT_PARTITION))


def test_the_secret_of_a_destination_lives_as_long_as_its_export(desk: Desk) -> None:
    seen: list[tuple[int, bytes]] = []
    secret = ExportDestination(container_url="https://a/b?sig=secret")

    class Watching(FolderSink):
        def put(self, path: str, chunks: Iterator[bytes]) -> None:
            [file] = desk.secrets.iterdir()
            seen.append((file.stat().st_mode & 0o777, file.read_bytes()))
            super().put(path, chunks)

    exporter = desk.exporter(lambda destination: Watching(desk.folder / "blobs"))
    with desk.running(exporter) as operations:
        started = exporter.start(operations, LOCAL_OWNER, ExportRequest(None, secret, DEFAULT_PARTITION))
        ended = desk.wait(started.operation.operation_id)
    assert seen[0][0] == 0o600
    assert all(b"sig=secret" in content for _, content in seen)
    assert b"sig=" not in ended.instructions + ended.checkpoint + ended.results
    assert list(desk.secrets.iterdir()) == []


def test_an_export_goes_on_where_a_store_that_failed_left_it(desk: Desk) -> None:
    written: list[str] = []

    class Failing(FolderSink):
        def put(self, path: str, chunks: Iterator[bytes]) -> None:
            if len(written) == 2 and "failed" not in written:
                written.append("failed")
                raise PeerUnreachable
            super().put(path, chunks)
            written.append(path)

    def open_sink(destination: ExportDestination) -> ExportSink:
        return Failing(desk.folder / "blobs")

    exporter = desk.exporter(open_sink)
    scopes = tuple(scope_of(identifier) for identifier in desk.contents)
    with desk.running(exporter) as operations:
        started = exporter.start(operations, LOCAL_OWNER, ExportRequest(scopes, HERE, DEFAULT_PARTITION))
        ended = desk.wait(started.operation.operation_id)
    assert ended.status is OperationStatus.SUCCEEDED
    assert orjson.loads(ended.results)["exported"] == 3
    assert [path for path in written if path.endswith(".dcm")] == list(dict.fromkeys(written))[:2] + written[3:4]
    assert written[2] == "failed"
