"""The commands echo, store, find, get and move against the servers of DCMTK (Debian)."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.syntax import transfer_syntax
from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.certificates import Authority
from tests.support.command_line import CommandLine
from tests.support.dcmtk import DcmtkServer, dcmqrscp, storescp, wlmscpfs
from tests.support.processes import free_port
from tests.support.shared_data import shared_data

pytestmark = pytest.mark.interop

SMALL = WorkloadShape("small", studies=2, series=2, instances=3, rows=16, columns=16)
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
NOT_TAKEN_BY_STORESCP = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (53, 55, 57))
"""Its `accept all` leaves out what is rare or retired; the command converts those."""
TRANSFER_SYNTAX_FOLDERS = ("ctimage", "mr-small", "emri-small")


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@pytest.fixture
def sources(tmp_path: Path) -> list[WorkloadInstance]:
    return write_workload(tmp_path / "sources", SMALL)


def _folder(tmp_path: Path) -> Path:
    return tmp_path / "sources" / SMALL.name


def _dataset(path: Path) -> bytes:
    content = path.read_bytes()
    return content[read_encoding(content)[1] :]


def _digest(content: bytes) -> str:
    """Return what tells data sets apart; a difference of megabytes says nothing."""
    return hashlib.sha256(content).hexdigest()


def _digests(paths: list[Path]) -> list[str]:
    """Return the digests of the data sets of files, as they go over the wire: of even length."""
    return sorted(_digest(content + b"\0" * (len(content) % 2)) for content in map(_dataset, paths))


def _received(server: DcmtkServer) -> list[str]:
    """Return the digests of the data sets that a server wrote as they came."""
    return sorted(_digest(path.read_bytes()) for path in server.files())


def _instances(paths: Iterable[Path]) -> dict[str, pydicom.Dataset]:
    """Return data sets by SOP Instance UID, to be compared by value: dcmqrscp writes them anew."""
    read = [pydicom.dcmread(path) for path in paths]
    return {str(dataset.SOPInstanceUID): dataset for dataset in read}


# ---- echo


def test_echo_tells_who_answers(command_line: CommandLine, tmp_path: Path) -> None:
    with storescp(tmp_path / "scp") as server:
        assert f"{server.peer} answers CT1: " in command_line.must("echo", server.peer, "--as", "CT1")
        told = json.loads(command_line.must("echo", server.peer, "--json"))
    assert (told["status"], told["tls"], told["calling_ae_title"]) == ("0000", False, "ISOCENTER")
    assert told["implementation_version_name"].startswith("OFFIS_DCMTK")


def test_echo_of_a_work_list_server(command_line: CommandLine, tmp_path: Path) -> None:
    with wlmscpfs(tmp_path / "wlm") as server:
        command_line.must("echo", server.peer)


def test_a_peer_that_is_not_there_is_told_from_one_that_refuses(command_line: CommandLine, tmp_path: Path) -> None:
    gone = command_line.run("echo", f"NOBODY@127.0.0.1:{free_port()}")
    assert (gone.code, "cannot be reached: Connection refused" in gone.err) == (3, True)
    with storescp(tmp_path / "scp", "--refuse") as server:
        refused = command_line.run("echo", server.peer)
    assert (refused.code, "rejected the association" in refused.err) == (1, True)


def test_a_rejection_says_what_to_change_on_the_other_side(command_line: CommandLine, tmp_path: Path) -> None:
    with dcmqrscp(tmp_path / "qr", callers=("ISOCENTER",), destinations={}) as server:
        wrong = command_line.run("echo", f"ELSE@127.0.0.1:{server.port}")
    assert wrong.code == 1
    assert "its own AE title is not 'ELSE'; correct the title that we call it by" in wrong.err


@pytest.mark.parametrize("profile", ["--profile-bcp195-nd", "--profile-bcp195", "--profile-bcp195-ex"])
def test_echo_over_tls_with_every_profile_that_dcmtk_knows(
    command_line: CommandLine, tmp_path: Path, profile: str
) -> None:
    authority = Authority(tmp_path / "keys")
    theirs, ours = authority.issue("storescp"), authority.issue("isocenter")
    tls = ("+tls", str(theirs.key), str(theirs.certificate), "+cf", str(authority.certificate), profile)
    trusted = ("--tls", "--ca", authority.certificate)
    with storescp(tmp_path / "scp", *tls) as server:
        out = command_line.must("echo", server.peer, *trusted, "--cert", ours.certificate, "--key", ours.key)
        assert "over TLS" in out
        nameless = command_line.run("echo", server.peer, *trusted)
        plain = command_line.run("echo", server.peer)
    assert nameless.code == 3
    assert plain.code == 3


def test_a_peer_whose_certificate_nobody_vouches_for_is_not_trusted(command_line: CommandLine, tmp_path: Path) -> None:
    theirs, ours = Authority(tmp_path / "theirs"), Authority(tmp_path / "ours")
    identity, mine = theirs.issue("storescp"), ours.issue("isocenter")
    tls = ("+tls", str(identity.key), str(identity.certificate), "-ic")
    with storescp(tmp_path / "scp", *tls) as server:
        ended = command_line.run(
            "echo", server.peer, "--ca", ours.certificate, "--cert", mine.certificate, "--key", mine.key
        )
    assert ended.code == 3
    assert "TLS" in ended.err


# ---- store


def test_files_of_every_transfer_syntax_that_storescp_takes_arrive_as_they_are(
    command_line: CommandLine, tmp_path: Path
) -> None:
    folders = [shared_data() / "transfer-syntax" / name for name in TRANSFER_SYNTAX_FOLDERS]
    sent = [path for folder in folders for path in folder.rglob("*.dcm") if _syntax(path) not in NOT_TAKEN_BY_STORESCP]
    with storescp(tmp_path / "scp", "+xa", "+B", "-F", "+uf") as server:
        out = command_line.must("store", *sent, "--to", server.peer)
        assert f"{len(sent)} stored, 0 identical, 0 refused" in out
        assert [path.name for path in sent if _digests([path])[0] not in _received(server)] == []


def _syntax(path: Path) -> str:
    return read_encoding(path.read_bytes())[0].transfer_syntax_uid


def test_what_the_peer_does_not_take_is_converted_without_loss(command_line: CommandLine, tmp_path: Path) -> None:
    sent = [path for path in (shared_data() / "transfer-syntax" / "ctimage").rglob("*.dcm") if _is_lossless(path)]
    with storescp(tmp_path / "scp", "+xi", "+uf") as server:
        out = command_line.must("store", *sent, "--to", server.peer, "--as", "CT1")
        assert f"{len(sent)} stored" in out
        received = [pydicom.dcmread(path) for path in server.files()]
    assert len(received) == len(sent)
    assert {dataset.file_meta.TransferSyntaxUID for dataset in received} == {IMPLICIT_VR_LITTLE_ENDIAN}
    assert {_pixels(dataset) for dataset in received} == {_pixels(pydicom.dcmread(path)) for path in sent}


def _is_lossless(path: Path) -> bool:
    return not transfer_syntax(_syntax(path)).is_lossy


def _pixels(dataset: pydicom.Dataset) -> str:
    return _digest(dataset.pixel_array.astype(np.int64).tobytes())  # one type: some are big endian


def test_a_class_that_the_peer_does_not_know_is_named(command_line: CommandLine, tmp_path: Path) -> None:
    private = _private_file(tmp_path / "private.dcm")
    with storescp(tmp_path / "scp") as server:
        ended = command_line.run("store", private, "--to", server.peer)
    assert ended.code == 1
    assert "accepts no context for 1.2.826.0.1.3680043.9.7.7: it does not offer this service there" in ended.err
    assert "The file is in Explicit VR Little Endian" in ended.err


def _private_file(path: Path) -> Path:
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.826.0.1.3680043.9.7.7", "1.2.3"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.4", "1.2.5"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    path.write_bytes(buffer.getvalue())
    return path


def test_a_second_run_sends_only_what_was_not_acknowledged(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    with storescp(tmp_path / "scp", "-F") as server:
        store = ("store", _folder(tmp_path), "--to", server.peer)
        assert "12 stored" in command_line.must(*store)
        assert "0 stored, 0 identical, 0 refused, 12 skipped (12 sent before)." in command_line.must(*store)
        again = json.loads(command_line.must(*store, "--again", "--json"))
        assert (again["stored"], again["failed"], again["sent_before"]) == (12, 0, 0)
        assert len(server.files()) == len(sources)


def test_a_peer_that_ends_every_association_ends_the_run(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    assert sources
    with storescp(tmp_path / "scp", "--abort-after") as server:
        ended = command_line.run("store", _folder(tmp_path), "--to", server.peer)
    assert ended.code == 1
    assert "ends every association" in ended.err
    assert "Give the same command again to go on." in ended.err


def test_several_associations_store_everything_once(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    with storescp(tmp_path / "scp", "--fork", "+B", "-F") as server:
        out = command_line.must("store", _folder(tmp_path), "--to", server.peer, "-j", "3")
        received = _received(server)
    assert "12 stored" in out
    assert received == _digests([tmp_path / "sources" / source.path for source in sources])


def test_a_peer_of_one_association_at_a_time_is_no_hindrance(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    with storescp(tmp_path / "scp", "-F") as server:
        out = command_line.must("store", _folder(tmp_path), "--to", server.peer, "-j", "4")
        assert len(server.files()) == len(sources)
    assert "12 stored" in out


# ---- find, get, move


@pytest.fixture
def archive(command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path) -> Iterator[_Archive]:
    """Return a dcmqrscp that has the sources, and a storescp that it may move to."""
    assert sources
    port = free_port()
    with (
        storescp(tmp_path / "destination", ae_title="DEST", port=port) as destination,
        dcmqrscp(tmp_path / "qr", destinations={"DEST": port, "AWAY": free_port()}) as server,
    ):
        command_line.must("store", _folder(tmp_path), "--to", server.peer)
        yield _Archive(server, destination)


class _Archive:
    def __init__(self, server: DcmtkServer, destination: DcmtkServer) -> None:
        self.peer = server.peer
        self.destination = destination


def test_find_by_patient_study_series_and_instance(
    command_line: CommandLine, archive: _Archive, sources: list[WorkloadInstance]
) -> None:
    first = sources[0]
    find = ("find", "--from", archive.peer, "--json")
    [study] = json.loads(command_line.must(*find, f"PatientID={first.pid}"))
    assert study["0020000D"]["Value"] == [first.study]
    patients = json.loads(command_line.must(*find, "--level", "patient"))
    assert sorted(row["00100020"]["Value"][0] for row in patients) == sorted({each.pid for each in sources})
    within = ("--level", "series", f"StudyInstanceUID={first.study}")
    series = json.loads(command_line.must(*find, *within))
    assert {row["0020000E"]["Value"][0] for row in series} == {
        each.series for each in sources if each.study == first.study
    }
    instance = ("--level", "instance", f"StudyInstanceUID={first.study}", f"SeriesInstanceUID={first.series}")
    assert len(json.loads(command_line.must(*find, *instance))) == SMALL.instances
    assert json.loads(command_line.must(*find, "PatientID=nobody")) == []


def test_find_ends_at_its_limit(command_line: CommandLine, archive: _Archive) -> None:
    assert len(json.loads(command_line.must("find", "--from", archive.peer, "--limit", "1", "--json"))) == 1


def test_get_brings_a_study_whole_and_only_what_is_missing(
    command_line: CommandLine, archive: _Archive, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    first, fetched = sources[0], tmp_path / "fetched"
    get = ("get", first.study, "--from", archive.peer, "-o", fetched)
    assert command_line.must(*get).startswith("Wrote 6 files,")
    of_study = [tmp_path / "sources" / each.path for each in sources if each.study == first.study]
    assert _instances(fetched.rglob("*.dcm")) == _instances(of_study)
    (fetched / first.study / first.series / f"{first.sop}.dcm").unlink()
    told = json.loads(command_line.must(*get, "--json"))
    assert [(part["written"], part["present"], part["failed"]) for part in told] == [(1, 5, 0)]
    assert sorted(path.suffix for path in fetched.iterdir()) == ["." + first.study.rsplit(".", 1)[-1]]


def test_get_of_what_is_not_there_says_so(command_line: CommandLine, archive: _Archive, tmp_path: Path) -> None:
    ended = command_line.run("get", "1.2.3.4.5", "--from", archive.peer, "-o", tmp_path / "fetched")
    assert (ended.code, "has no study of that UID" in ended.err) == (1, True)


def test_move_sends_to_another_ae(
    command_line: CommandLine, archive: _Archive, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    first = sources[0]
    out = command_line.must("move", first.study, "--from", archive.peer, "--to", "DEST")
    assert out == f"{first.study}: 6 instances sent to DEST, 0 failed.\n"
    of_study = [tmp_path / "sources" / each.path for each in sources if each.study == first.study]
    assert _instances(archive.destination.files()) == _instances(of_study)


def test_move_to_an_unknown_or_unreachable_destination_fails(
    command_line: CommandLine, archive: _Archive, sources: list[WorkloadInstance]
) -> None:
    unknown = command_line.run("move", sources[0].study, "--from", archive.peer, "--to", "NOWHERE")
    assert (unknown.code, "A801, it does not know the destination" in unknown.err) == (1, True)
    away = command_line.run("move", sources[0].study, "--from", archive.peer, "--to", "AWAY")
    assert away.code == 1
    assert "Traceback" not in away.err
