"""The walk-through of a hospital, steps 1 to 9 (routing-and-gateway 2.8): real processes, real sockets, real faults.

    modality ──▶ PACS          modality ──▶ QIEROUTER ──▶ PACS and cloud          PACS ──▶ QIETOAZURE ──▶ cloud

Once with our own node as the PACS, once with Orthanc.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from tests.support.command_line import CommandLine
from tests.support.fault_plane import FaultLink, fault_link
from tests.support.processes import Node, Orthanc, free_port, orthanc, serve
from tests.support.secure_node import AUDIENCE, Registration, SecureNode, serve_securely
from tests.support.story import StoryImage, write_story

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

RECOVERY_S = 60.0
"""Within which a backlog of a few images is to be gone, on a loaded machine."""
JULE = 1


class Pacs(Protocol):
    """The PACS of the story, whichever program it is."""

    port: int

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def studies_of(self, patient_id: str) -> set[str]: ...
    def instances(self) -> set[str]: ...
    def send_study(self, study: str) -> None: ...
    def find_remotely(self, patient_id: str) -> list[str] | None: ...
    def retrieve(self, study: str) -> None: ...


@dataclass(slots=True)
class OurPacs:
    """A node of ours as the PACS."""

    folder: Path
    router_port: int
    commands: CommandLine
    port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    _stack: ExitStack = field(default_factory=ExitStack)
    _node: Node | None = None

    def start(self) -> None:
        arguments = (
            *("--auth", "off", "--dicom", f"ORTHANC@127.0.0.1:{self.port}"),
            *("--remote", f"QIETOAZURE@127.0.0.1:{self.router_port}"),
        )
        self._node = self._stack.enter_context(
            serve(self.folder / "pacs", port=self.http_port, arguments=arguments, must_end_cleanly=False)
        )

    def kill(self) -> None:
        assert self._node is not None
        self._node.process.kill()

    def close(self) -> None:
        self._stack.close()

    def _rows(self, path: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"http://127.0.0.1:{self.http_port}/dicom-web/{path}", trust_env=False)
        rows: list[dict[str, Any]] = answer.json() if answer.content else []
        return rows

    def studies_of(self, patient_id: str) -> set[str]:
        return {row["0020000D"]["Value"][0] for row in self._rows(f"studies?PatientID={patient_id}")}

    def instances(self) -> set[str]:
        return {row["00080018"]["Value"][0] for row in self._rows("instances")}

    def send_study(self, study: str) -> None:
        peer = f"ORTHANC@127.0.0.1:{self.port}"
        self.commands.must("move", study, "--from", peer, "--to", "QIETOAZURE")

    def find_remotely(self, patient_id: str) -> list[str] | None:
        translator = f"QIETOAZURE@127.0.0.1:{self.router_port}"
        answer = self.commands.run("find", "--from", translator, "--as", "ORTHANC", f"PatientID={patient_id}", "--json")
        return None if answer.code else [row["0020000D"]["Value"][0] for row in json.loads(answer.out)]

    def retrieve(self, study: str) -> None:
        translator = f"QIETOAZURE@127.0.0.1:{self.router_port}"
        self.commands.must("move", study, "--from", translator, "--as", "ORTHANC", "--to", "ORTHANC")


@dataclass(slots=True)
class OrthancPacs:
    """Orthanc as the PACS, driven by what its own web page calls."""

    folder: Path
    router_port: int
    port: int = field(default_factory=free_port)
    _stack: ExitStack = field(default_factory=ExitStack)
    _orthanc: Orthanc | None = None

    def start(self) -> None:
        remote = {"QIETOAZURE": ["QIETOAZURE", "127.0.0.1", self.router_port]}
        peer = orthanc(self.folder / "pacs", configuration={"DicomModalities": remote}, dicom_port=self.port)
        self._orthanc = self._stack.enter_context(peer)

    def kill(self) -> None:
        assert self._orthanc is not None
        self._orthanc.process.kill()

    def close(self) -> None:
        self._stack.close()

    def _call(self, method: str, path: str, document: object = None) -> httpx.Response:
        assert self._orthanc is not None
        return httpx.request(method, f"{self._orthanc.base_url}/{path}", json=document, trust_env=False, timeout=60)

    def _find(self, level: str, query: dict[str, str]) -> list[dict[str, Any]]:
        document = {"Level": level, "Query": query, "Expand": True}
        found: list[dict[str, Any]] = self._call("POST", "tools/find", document).json()
        return found

    def studies_of(self, patient_id: str) -> set[str]:
        return {row["MainDicomTags"]["StudyInstanceUID"] for row in self._find("Study", {"PatientID": patient_id})}

    def instances(self) -> set[str]:
        return {row["MainDicomTags"]["SOPInstanceUID"] for row in self._find("Instance", {})}

    def send_study(self, study: str) -> None:
        (found,) = self._find("Study", {"StudyInstanceUID": study})
        answer = self._call("POST", "modalities/QIETOAZURE/store", {"Resources": [found["ID"]], "Synchronous": True})
        assert answer.status_code == 200, answer.text

    def find_remotely(self, patient_id: str) -> list[str] | None:
        return self._query({"PatientID": patient_id, "StudyInstanceUID": ""})[1]

    def _query(self, keys: dict[str, str]) -> tuple[str, list[str] | None]:
        document = {"Level": "Study", "Query": keys}
        answer = self._call("POST", "modalities/QIETOAZURE/query", document)
        if answer.status_code != 200:
            return "", None
        path = f"queries/{answer.json()['ID']}"
        rows = self._call("GET", f"{path}/answers?expand&simplify").json()
        return path, [row["StudyInstanceUID"] for row in rows]

    def retrieve(self, study: str) -> None:
        path, found = self._query({"StudyInstanceUID": study})
        assert found == [study]
        answer = self._call("POST", f"{path}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
        assert answer.status_code == 200, answer.text


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen, on loopback."""

    modality: int
    """QIEROUTER."""
    translator: int
    """QIETOAZURE."""
    pacs: int
    line: int
    """What leads to the cloud."""


@dataclass(slots=True)
class Hospital:
    """All of it."""

    pacs: Any
    cloud: SecureNode
    token: str
    line: FaultLink
    """Between the router and the cloud."""
    router: Node
    ports: Ports
    commands: CommandLine
    images: Sequence[StoryImage]

    def of(self, kind: str, *patients: int) -> list[StoryImage]:
        """Return the images of some patients."""
        return [one for one in self.images if one.kind == kind and one.patient in patients]

    def send(self, images: Sequence[StoryImage], called: str) -> None:
        """Let the modality send images, which must all be acknowledged."""
        self.commands.must("store", *(one.path for one in images), "--to", called, "--as", "GDCM")

    @property
    def qierouter(self) -> str:
        return f"QIEROUTER@127.0.0.1:{self.ports.modality}"

    @property
    def qietoazure(self) -> str:
        return f"QIETOAZURE@127.0.0.1:{self.ports.translator}"

    def cloud_get(self, path: str, accept: str = "application/dicom+json") -> httpx.Response:
        """Ask the cloud as its viewer does, past the line of the router."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept}
        with self.cloud.client(headers) as client:
            return client.get(path)

    def cloud_instances(self) -> set[str]:
        answer = self.cloud_get("/dicom-web/instances")
        return {row["00080018"]["Value"][0] for row in answer.json()} if answer.content else set()

    def cloud_studies_of(self, patient_id: str) -> set[str]:
        answer = self.cloud_get(f"/dicom-web/studies?PatientID={patient_id}")
        return {row["0020000D"]["Value"][0] for row in answer.json()} if answer.content else set()

    def router_get(self, path: str) -> Any:
        return httpx.get(f"{self.router.base_url}/api/router{path}", trust_env=False).json()

    def counters(self) -> dict[str, Any]:
        """Return the counters of the router, which add up whenever somebody looks."""
        found: dict[str, Any] = self.router_get("/channels/modalities")["counters"]
        assert found["adds_up"], found
        parts = ("delivered", "waiting", "needs_human", "cancelled")
        assert found["received"] == sum(found[part] for part in parts)
        return found


def _uids(images: Sequence[StoryImage]) -> set[str]:
    return {one.sop for one in images}


def _wait(is_so: Callable[[], bool], what: str, *, timeout_s: float = RECOVERY_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.1)


def _configuration(ports: Ports, cloud: SecureNode, registered: Registration) -> str:
    patience = """
retry = { first_wait = "1s", longest_wait = "2s" }
breaker = { first_probe = "1s", longest_probe = "2s" }
"""
    return f"""
[channels.modalities]
source = {{ kind = "dimse", listen = "QIEROUTER@127.0.0.1:{ports.modality}" }}

[[channels.modalities.rules]]
name = "to the PACS and the cloud"
to = ["pacs", "cloud"]

[translators.cloud-as-pacs]
listen = "QIETOAZURE@127.0.0.1:{ports.translator}"
upstream = "cloud"

[destinations.pacs]
kind = "dimse"
remote = "ORTHANC@127.0.0.1:{ports.pacs}"
calling_ae_title = "keep"
{patience}
[destinations.cloud]
kind = "dicomweb"
url = "https://localhost:{ports.line}/v2"
profile = "azure"
authority_file = "{cloud.authority}"
{patience}
[destinations.cloud.authentication]
kind = "oauth2"
token_url = "https://localhost:{ports.line}/{registered.tenant_id}/oauth2/v2.0/token"
client_id = "{registered.client_id}"
client_secret = "cloud"
scope = "{AUDIENCE}/.default"
"""


@contextmanager
def _hospital(folder: Path, make_pacs: Callable[[Path, int, CommandLine], Any]) -> Iterator[Hospital]:
    commands = CommandLine(folder / "state")
    with ExitStack() as stack:
        cloud = stack.enter_context(serve_securely(folder / "cloud"))
        registered = cloud.register("hospital", "--role", "owner")
        line = stack.enter_context(fault_link(int(cloud.base_url.rsplit(":", 1)[1])))
        translator_port = free_port()
        pacs = make_pacs(folder, translator_port, commands)
        stack.callback(pacs.close)
        pacs.start()
        ports = Ports(free_port(), translator_port, pacs.port, line.port)
        path = folder / "channels.toml"
        path.write_text(_configuration(ports, cloud, registered))
        arguments = ("--auth", "off", "--remote", f"ORTHANC@127.0.0.1:{pacs.port}")
        environment = {"ISOCENTER_SECRET_CLOUD": registered.secret, "ISOCENTER_ROUTING_CONFIGURATION": str(path)}
        router = stack.enter_context(serve(folder / "router", arguments=arguments, environment=environment))
        token = cloud.token(registered)
        yield Hospital(pacs, cloud, token, line, router, ports, commands, write_story(folder / "images"))


def _ours(folder: Path, router_port: int, commands: CommandLine) -> OurPacs:
    return OurPacs(folder, router_port, commands)


def _theirs(folder: Path, router_port: int, commands: CommandLine) -> OrthancPacs:
    return OrthancPacs(folder, router_port)


@pytest.mark.parametrize("make_pacs", [_ours, _theirs], ids=["our PACS", "Orthanc as PACS"])
def test_the_walk_through_of_a_hospital(make_pacs: Callable[[Path, int, CommandLine], Any], tmp_path: Path) -> None:
    with _hospital(tmp_path, make_pacs) as hospital:
        _steps_1_and_2_what_the_pacs_has(hospital)
        _step_4_the_pacs_sends_to_the_cloud(hospital)
        _step_5_a_modality_sends_to_both(hospital)
        _step_6_the_old_archive_goes_to_the_cloud(hospital)
        _step_7_a_prior_comes_back(hospital)
        _step_8_the_line_to_the_cloud_drops(hospital)
        _step_9_the_pacs_dies(hospital)


def _steps_1_and_2_what_the_pacs_has(hospital: Hospital) -> None:
    pacs = f"ORTHANC@127.0.0.1:{hospital.pacs.port}"
    hospital.send(hospital.of("recent", *range(1, 9)), pacs)
    hospital.send(hospital.of("new", 1, 2, 3), pacs)
    assert hospital.pacs.instances() == _uids([*hospital.of("recent", *range(1, 9)), *hospital.of("new", 1, 2, 3)])
    for patient in (1, 2, 3):
        (one,) = hospital.of("new", patient)
        assert len(hospital.pacs.studies_of(one.patient_id)) == 2


def _step_4_the_pacs_sends_to_the_cloud(hospital: Hospital) -> None:
    (recent,) = hospital.of("recent", JULE)
    hospital.pacs.send_study(recent.study)
    assert hospital.cloud_instances() == {recent.sop}
    picture = hospital.cloud_get(
        f"/dicom-web/studies/{recent.study}/series/{recent.series}/instances/{recent.sop}/rendered", "image/png"
    )
    assert picture.content.startswith(b"\x89PNG")


def _step_5_a_modality_sends_to_both(hospital: Hospital) -> None:
    sent = hospital.of("new", 4, 5, 6, 7, 8)
    hospital.send(sent[:3], hospital.qierouter)
    hospital.send(sent[3:], hospital.qierouter)
    _wait(lambda: hospital.counters()["delivered"] == 2 * len(sent), "everything is delivered to both")
    assert _uids(sent) <= hospital.pacs.instances()
    assert _uids(sent) <= hospital.cloud_instances()


def _step_6_the_old_archive_goes_to_the_cloud(hospital: Hospital) -> None:
    priors = hospital.of("prior", *range(1, 9))
    hospital.send(priors, hospital.qietoazure)
    assert _uids(priors) <= hospital.cloud_instances()
    (recent,), (prior,), (new,) = (hospital.of(kind, JULE) for kind in ("recent", "prior", "new"))
    assert hospital.cloud_studies_of(prior.patient_id) == {prior.study, recent.study}
    assert hospital.pacs.studies_of(prior.patient_id) == {recent.study, new.study}


def _step_7_a_prior_comes_back(hospital: Hospital) -> None:
    (recent,), (prior,), (new,) = (hospital.of(kind, JULE) for kind in ("recent", "prior", "new"))
    assert sorted(hospital.pacs.find_remotely(prior.patient_id) or []) == sorted([prior.study, recent.study])
    hospital.pacs.retrieve(prior.study)
    everything = {prior.study, recent.study, new.study}
    _wait(lambda: hospital.pacs.studies_of(prior.patient_id) == everything, "the prior is in the PACS")


def _step_8_the_line_to_the_cloud_drops(hospital: Hospital) -> None:
    before = hospital.counters()
    late = hospital.of("recent", 2, 3, 4, 5)
    hospital.line.refuse()
    hospital.send(late, hospital.qierouter)  # acknowledged all the same
    _wait(lambda: hospital.counters()["waiting"] == len(late), "the PACS has all, the cloud waits")
    assert hospital.counters()["received"] == before["received"] + 2 * len(late)
    (prior,) = hospital.of("prior", JULE)
    assert hospital.pacs.find_remotely(prior.patient_id) is None, "told as a failure, not as nothing found"
    assert len(hospital.pacs.studies_of(prior.patient_id)) == 3, "what is here is found"
    told = hospital.router_get("/destinations/cloud")
    assert told["waiting"] == len(late) if "waiting" in told else told["counters"]["waiting"] == len(late)
    hospital.line.clear()
    _wait(lambda: hospital.counters()["waiting"] == 0, "the backlog is gone")
    assert _uids(late) <= hospital.cloud_instances()
    _assert_nothing_is_lost(hospital, before["received"] + 2 * len(late))


def _step_9_the_pacs_dies(hospital: Hospital) -> None:
    before = hospital.counters()
    late = hospital.of("prior", 6, 7, 8)
    hospital.pacs.kill()
    hospital.send(late, hospital.qierouter)
    _wait(lambda: hospital.counters()["waiting"] == len(late), "the cloud has all, the PACS waits")
    (new,) = hospital.of("new", 4)
    viewer = hospital.cloud_get(f"/dicom-web/studies/{new.study}/metadata")
    assert viewer.status_code == 200, "the viewer of the cloud goes on"
    hospital.pacs.start()
    _wait(lambda: hospital.counters()["waiting"] == 0, "the backlog is gone")
    assert _uids(late) <= hospital.pacs.instances()
    _assert_nothing_is_lost(hospital, before["received"] + 2 * len(late))


def _assert_nothing_is_lost(hospital: Hospital, received: int) -> None:
    counters = hospital.counters()
    assert (counters["received"], counters["needs_human"], counters["cancelled"]) == (received, 0, 0)
