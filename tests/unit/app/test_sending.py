from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from isocenter.app.journal import Journal
from isocenter.app.part10_files import FoundFile, iter_files
from isocenter.app.sending import ATTEMPTS_MAX, BATCH_COUNT_MAX, Candidates, SendReport, group, send, still_has
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.domain.errors import PeerUnreachable, StorageFull, Unauthenticated, Unavailable
from tests.support.dicom_files import element, file_of

URL = "http://archive/dicom-web"
Handler = Callable[[httpx.Request], httpx.Response]


def _files(folder: Path, number: int) -> list[FoundFile]:
    for index in range(1, number + 1):
        uid = f"1.2.{index}".encode()
        content = file_of(element(0x00080018, "UI", uid + b"\0" * (len(uid) % 2)))
        (folder / f"{index:04d}.dcm").write_bytes(content)
    return list(iter_files([folder]))


_SOP_INSTANCE_UID = re.compile(rb"\x08\x00\x18\x00UI..([0-9.]+)", re.DOTALL)


def _stored(request: httpx.Request) -> httpx.Response:
    items = [{"00081155": {"vr": "UI", "Value": [uid.decode()]}} for uid in _SOP_INSTANCE_UID.findall(request.content)]
    content = orjson.dumps({"00081199": {"vr": "SQ", "Value": items}})
    return httpx.Response(200, content=content, headers={"Content-Type": "application/dicom+json"})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal", url=URL) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    return path


def _send(handler: Handler, files: list[FoundFile], journal: Journal, *, parallel: int = 1) -> SendReport:
    report = SendReport()
    with DicomwebClient(URL, transport=httpx.MockTransport(handler)) as client:
        send(
            client,
            files,
            journal=journal,
            report=report,
            parallel=parallel,
            on_sent=lambda size: None,
            first_wait_s=0.0,
        )
    return report


def test_every_acknowledged_file_is_in_the_journal(folder: Path, journal: Journal) -> None:
    files = _files(folder, 5)
    report = _send(_stored, files, journal)
    assert (report.stored, report.failed_count) == (5, 0)
    assert all(file in journal for file in files)
    assert journal.samples == [f"1.2.{number}" for number in range(1, 6)]


def test_a_busy_archive_is_asked_again(folder: Path, journal: Journal) -> None:
    answers = iter([httpx.Response(503), httpx.Response(429)])
    report = _send(lambda request: next(answers, None) or _stored(request), _files(folder, 2), journal)
    assert report.stored == 2


def test_an_archive_that_stays_busy_ends_the_run_after_its_attempts(folder: Path, journal: Journal) -> None:
    seen: list[httpx.Request] = []

    def busy(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(503)

    with pytest.raises(Unavailable):
        _send(busy, _files(folder, 2), journal)
    assert len(seen) == ATTEMPTS_MAX
    assert len(journal) == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [(httpx.Response(507), StorageFull), (httpx.Response(401), Unauthenticated), (None, PeerUnreachable)],
)
def test_what_no_wait_can_mend_ends_the_run_at_once(
    folder: Path, journal: Journal, answer: httpx.Response | None, error: type[Exception]
) -> None:
    seen: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if answer is None:
            raise httpx.ConnectError("refused")
        return answer

    with pytest.raises(error):
        _send(refuse, _files(folder, 3), journal)
    assert len(seen) == 1


def test_what_was_acknowledged_before_the_end_stays_in_the_journal(folder: Path, journal: Journal) -> None:
    files = _files(folder, 2 * BATCH_COUNT_MAX)
    answers = iter([True])

    def then_gone(request: httpx.Request) -> httpx.Response:
        if next(answers, False):
            return _stored(request)
        raise httpx.ConnectError("refused")

    with pytest.raises(PeerUnreachable):
        _send(then_gone, files, journal)
    assert [file in journal for file in files] == [True] * BATCH_COUNT_MAX + [False] * BATCH_COUNT_MAX


def test_a_file_too_large_for_the_archive_does_not_hold_back_its_neighbours(folder: Path, journal: Journal) -> None:
    files = _files(folder, 3)
    large = Path(files[1].path)
    large.write_bytes(large.read_bytes() + element(0x00204000, "LT", b"x" * 5000))

    def limited(request: httpx.Request) -> httpx.Response:
        return httpx.Response(413) if len(request.content) > 5000 else _stored(request)

    report = _send(limited, list(iter_files([folder])), journal)
    assert (report.stored, [path for path, _reason in report.failed]) == (2, [str(large)])


def test_a_file_that_went_away_is_a_failure_of_its_own(folder: Path, journal: Journal) -> None:
    files = _files(folder, 3)
    Path(files[0].path).unlink()
    report = _send(_stored, files, journal, parallel=2)
    assert (report.stored, report.failed) == (2, [(files[0].path, "No such file or directory")])


def test_candidates_are_instances_that_were_not_acknowledged(folder: Path, journal: Journal) -> None:
    files = _files(folder, 3)
    journal.add([(files[0], None)])
    (folder / "notes.txt").write_text("hello")
    report, passed = SendReport(), list[int]()
    selected = list(Candidates(journal, report, passed.append).select(iter_files([folder])))
    assert selected == files[1:]
    assert (report.acknowledged_before, report.not_dicom) == (1, 1)
    assert report.skipped == [str(folder / "notes.txt")]
    assert passed == [files[0].size_bytes, 5]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([], []), ([1, 1], [2]), ([40 << 20, 1, 1], [1, 2]), ([20 << 20, 20 << 20], [1, 1]), ([1] * 201, [200, 1])],
)
def test_batches_stay_within_count_and_size(sizes: list[int], expected: list[int]) -> None:
    files = [FoundFile(f"/{number}", size, 0) for number, size in enumerate(sizes)]
    batches = list(group(files))
    assert [len(batch) for batch in batches] == expected
    assert [file for batch in batches for file in batch] == files


@pytest.mark.parametrize(("status", "content", "has"), [(200, b"[{}]", True), (204, b"", False), (400, b"", True)])
def test_an_archive_is_asked_whether_it_still_has_what_it_acknowledged(
    folder: Path, journal: Journal, status: int, content: bytes, has: bool
) -> None:
    journal.add([(_files(folder, 1)[0], "1.2.1")])

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["SOPInstanceUID"] == "1.2.1"
        return httpx.Response(status, content=content, headers={"Content-Type": "application/dicom+json"})

    with DicomwebClient(URL, transport=httpx.MockTransport(answer)) as client:
        assert still_has(client, journal) is has
