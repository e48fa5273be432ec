"""DCMTK's clients (Debian) against the node's listener: verify, store, get, move, over TLS with each profile."""

from __future__ import annotations

import hashlib
import io
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest

from isocenter.dicom.part10 import read_encoding
from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.certificates import Authority
from tests.support.dcmtk import storescp
from tests.support.dicomweb import ANY_DICOM, get, parts
from tests.support.peers import require
from tests.support.processes import Node, free_port, is_listening, serve

pytestmark = pytest.mark.interop

AE_TITLE = "NODE"
SMALL = WorkloadShape("small", studies=1, series=2, instances=5, rows=16, columns=16)
MANY = WorkloadShape("many", studies=1, series=1, instances=200, rows=16, columns=16)
DELAYED_ACK_S = 0.04
"""What Linux waits at least before it acknowledges what nobody answers."""
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Listening:
    """A running node and its DICOM port."""

    node: Node
    port: int

    def call(self, program: str, *arguments: str | Path, called: str = AE_TITLE) -> subprocess.CompletedProcess[str]:
        """Run a client of DCMTK against the node."""
        command = [require(program), "-v", "-aec", called, *map(str, arguments[:-1])]
        return _run([*command, "127.0.0.1", str(self.port), *map(str, arguments[-1:])])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    port, sink = free_port(), free_port()
    arguments = ("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}")
    remotes = ("--remote", f"SINK@127.0.0.1:{sink}", "--remote", f"DOWN@127.0.0.1:{free_port()}")
    with serve(tmp_path_factory.mktemp("node") / "data", arguments=(*arguments, *remotes)) as node:
        yield Listening(node, port)


@pytest.fixture(scope="module")
def study(listening: Listening, tmp_path_factory: pytest.TempPathFactory) -> list[WorkloadInstance]:
    """Return a study that the node has got from storescu."""
    folder = tmp_path_factory.mktemp("sources")
    instances = write_workload(folder, SMALL)
    paths = [folder / instance.path for instance in instances]
    ended = _run([require("storescu"), "-aec", AE_TITLE, "127.0.0.1", str(listening.port), *map(str, paths)])
    assert ended.returncode == 0, ended.stderr
    for instance, path in zip(instances, paths, strict=True):
        url = (
            f"{listening.node.dicomweb_url}/studies/{instance.study}/series/{instance.series}/instances/{instance.sop}"
        )
        [part] = parts(get(url, ANY_DICOM))
        # By value: storescu writes data sets anew before it sends them.
        assert pydicom.dcmread(io.BytesIO(part.content)) == pydicom.dcmread(path)
    return instances


def _digest(content: bytes) -> str:
    """Return what tells data sets apart."""
    return hashlib.sha256(content[read_encoding(content)[1] :]).hexdigest()


def _keys(instance: WorkloadInstance) -> list[str]:
    return ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={instance.study}"]


def test_echoscu_is_answered(listening: Listening) -> None:
    ended = _run([require("echoscu"), "-v", "-aec", AE_TITLE, "127.0.0.1", str(listening.port)])
    assert ended.returncode == 0, ended.stderr
    assert "Success" in ended.stdout + ended.stderr


def test_a_wrong_called_title_is_rejected_as_such(listening: Listening) -> None:
    ended = _run([require("echoscu"), "-aec", "WRONG", "127.0.0.1", str(listening.port)])
    assert ended.returncode != 0
    assert "Called AE Title Not Recognized" in ended.stdout + ended.stderr


def test_dcmsend_stores_and_what_is_stored_already_is_no_failure(
    listening: Listening, study: list[WorkloadInstance], tmp_path: Path
) -> None:
    instances = write_workload(tmp_path, SMALL)
    command = [require("dcmsend"), "-v", "-aec", AE_TITLE, "127.0.0.1", str(listening.port)]
    for _ in range(2):
        ended = _run([*command, *(str(tmp_path / instance.path) for instance in instances)])
        assert ended.returncode == 0, ended.stderr


def test_a_sender_that_leaves_nagle_on_does_not_wait_for_delayed_acknowledgements(
    listening: Listening, tmp_path: Path
) -> None:
    instances = write_workload(tmp_path, MANY, seed=5)
    command = [require("storescu"), "-aec", AE_TITLE, "127.0.0.1", str(listening.port)]
    began = time.monotonic()
    ended = _run([*command, *(str(tmp_path / instance.path) for instance in instances)])
    taken_s = time.monotonic() - began
    assert ended.returncode == 0, ended.stderr
    assert taken_s < len(instances) * DELAYED_ACK_S * 0.75  # with them it takes longer than the whole of that


def test_getscu_receives_the_study_bit_for_bit(
    listening: Listening, study: list[WorkloadInstance], tmp_path: Path
) -> None:
    command = [require("getscu"), "-v", "+B", *_keys(study[0]), "-aec", AE_TITLE, "-od", str(tmp_path)]
    ended = _run([*command, "127.0.0.1", str(listening.port)])
    assert ended.returncode == 0, ended.stderr
    assert sorted(map(_digest_of_file, tmp_path.iterdir())) == _stored_digests(listening, study)


def _digest_of_file(path: Path) -> str:
    return _digest(path.read_bytes())


def _stored_digests(listening: Listening, study: list[WorkloadInstance]) -> list[str]:
    answer = get(f"{listening.node.dicomweb_url}/studies/{study[0].study}", ANY_DICOM)
    return sorted(_digest(part.content) for part in parts(answer))


def test_movescu_moves_the_study_to_storescp(tmp_path: Path) -> None:
    port, sink_port = free_port(), free_port()
    arguments = ("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}", "--remote", f"SINK@127.0.0.1:{sink_port}")
    instances = write_workload(tmp_path / "sources", SMALL)
    paths = [str(tmp_path / "sources" / instance.path) for instance in instances]
    with (
        serve(tmp_path / "data", arguments=arguments) as node,
        storescp(tmp_path / "sink", "+B", ae_title="SINK", port=sink_port) as sink,
    ):
        assert _run([require("storescu"), "-aec", AE_TITLE, "127.0.0.1", str(port), *paths]).returncode == 0
        command = [require("movescu"), "-v", "-aec", AE_TITLE, "-aem", "SINK", *_keys(instances[0])]
        ended = _run([*command, "127.0.0.1", str(port)])
        assert ended.returncode == 0, ended.stderr
        listening = Listening(node, port)
        assert len(sink.files()) == len(instances)
        assert sorted(map(_digest_of_file, sink.files())) == _stored_digests(listening, instances)


@pytest.mark.parametrize(
    ("destination", "said"), [("NOBODY", "MoveDestinationUnknown"), ("DOWN", "OutOfResourcesSubOperations")]
)
def test_destinations_that_cannot_be_reached_are_told_apart(
    listening: Listening, study: list[WorkloadInstance], destination: str, said: str
) -> None:
    command = [require("movescu"), "-v", "-aec", AE_TITLE, "-aem", destination, *_keys(study[0])]
    ended = _run([*command, "127.0.0.1", str(listening.port)])
    told = (ended.stdout + ended.stderr).replace(" ", "").lower()
    assert ended.returncode != 0
    expected = {"MoveDestinationUnknown": "movedestinationunknown", "OutOfResourcesSubOperations": "suboperations"}
    assert expected[said] in told


def test_five_senders_at_once_are_all_served(listening: Listening, tmp_path: Path) -> None:
    running = []
    for seed in range(10, 15):
        instances = write_workload(tmp_path / str(seed), SMALL, seed=seed)
        paths = [str(tmp_path / str(seed) / instance.path) for instance in instances]
        command = [require("storescu"), "-aet", f"CT{seed}", "-aec", AE_TITLE, "127.0.0.1", str(listening.port), *paths]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    assert [process.wait(TIMEOUT_S) for process in running] == [0] * 5


# ---- TLS


@dataclass(frozen=True, slots=True)
class Secured:
    """A node that listens for TLS, and who it trusts."""

    profile: str
    port: int
    authority: Authority
    stranger: Authority


PROFILES = ("rfc9325", "non-downgrading", "extended", "bcp195")
OF_DCMTK = {"bcp195": "+px", "non-downgrading": "+py", "extended": "+pz", "aes": "+pa", "null": "+pn"}
RETIRED = ("aes", "null")


@pytest.fixture(scope="module", params=PROFILES)
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "authority")
    stranger = Authority(folder / "stranger", name="Another Authority")
    node_identity = authority.issue("node")
    for name in ("ct-1", "ct-2"):
        authority.issue(name)
    stranger.issue("ct-1")
    port = free_port()
    settings = {
        "dicom.tls_listen": f"{AE_TITLE}@127.0.0.1:{port}",
        "dicom.tls_profile": request.param,
        "dicom.tls_certificate": str(node_identity.certificate),
        "dicom.tls_key": str(node_identity.key),
        "dicom.tls_authorities": str(authority.certificate),
        "dicom.remotes": "CT1@127.0.0.1?subject=ct-1",
        "dicom.unknown_callers": "refuse",
    }
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    with serve(folder / "data", arguments=("--auth", "off", *sets)) as node:
        node.process.wait_until(lambda: is_listening(port))
        yield Secured(request.param, port, authority, stranger)


def _echo_over_tls(
    secured: Secured, flag: str, *, identity: str = "ct-1", by: str = "authority"
) -> subprocess.CompletedProcess[str]:
    issued = secured.authority.certificate.parent if by == "authority" else secured.stranger.certificate.parent
    return _run(
        [
            *(require("echoscu"), "-v", "-aet", "CT1", "-aec", AE_TITLE),
            *("+tls", str(issued / f"{identity}.key"), str(issued / f"{identity}.pem")),
            *("+cf", str(secured.authority.certificate), flag),
            *("127.0.0.1", str(secured.port)),
        ]
    )


@pytest.mark.parametrize("profile", [profile for profile in OF_DCMTK if profile not in RETIRED])
def test_each_profile_of_dcmtk_that_is_not_retired_is_spoken(secured: Secured, profile: str) -> None:
    ended = _echo_over_tls(secured, OF_DCMTK[profile])
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_retired_aes_profile_is_spoken_by_the_profile_that_still_allows_it(
    secured: Secured,
) -> None:
    ended = _echo_over_tls(secured, OF_DCMTK["aes"])
    if secured.profile == "bcp195":
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_unencrypted_tls_is_refused(secured: Secured) -> None:
    assert _echo_over_tls(secured, OF_DCMTK["null"]).returncode != 0


def test_a_certificate_of_another_name_does_not_fit_the_ae_title(secured: Secured) -> None:
    ended = _echo_over_tls(secured, OF_DCMTK["bcp195"], identity="ct-2")
    assert ended.returncode != 0
    assert "Calling AE Title Not Recognized" in ended.stdout + ended.stderr


def test_a_certificate_of_an_unknown_authority_is_refused(secured: Secured) -> None:
    assert _echo_over_tls(secured, OF_DCMTK["bcp195"], by="stranger").returncode != 0


def test_a_caller_without_tls_gets_no_association(secured: Secured) -> None:
    ended = _run([require("echoscu"), "-aet", "CT1", "-aec", AE_TITLE, "127.0.0.1", str(secured.port)])
    assert ended.returncode != 0


def test_a_node_with_tls_stays_ready(secured: Secured, listening: Listening) -> None:
    assert httpx.get(f"{listening.node.base_url}/health/ready", timeout=30).status_code == httpx.codes.OK
