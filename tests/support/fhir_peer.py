"""The strict FHIR server of the tests as a process of its own, and questions to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import Process, answers_ok, free_port, running

PROGRAM = Path(__file__).with_name("fhir_server.py")


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """Make a request over plain HTTP, without reading the authorities of the machine each time."""
    return httpx.request(method, url, trust_env=False, verify=False, **options)  # noqa: S501


@dataclass(frozen=True, slots=True)
class FhirPeer:
    """A FHIR server that may be running."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Return its base address."""
        return f"http://127.0.0.1:{self.port}/fhir"

    @contextmanager
    def running(self) -> Iterator[Process]:
        """Run it for the length of a block; what it has stays in its file."""
        command = [sys.executable, str(PROGRAM), str(self.port), str(self.folder / "fhir.json")]
        with running(command, log_path=self.folder / "fhir.log") as process:
            process.wait_until(lambda: answers_ok(f"{self.url}/$log"))
            yield process

    def set_faults(self, **faults: Any) -> None:
        """Make it fail from now on."""
        ask("POST", f"{self.url}/$faults", json=faults).raise_for_status()

    def empty(self) -> None:
        """Take away everything that it has, faults too."""
        ask("POST", f"{self.url}/$empty").raise_for_status()

    def all(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return its resources, of a kind or of all."""
        found: list[dict[str, Any]] = ask("GET", f"{self.url}/$all").json()
        return [one for one in found if kind in (None, one["resourceType"])]

    def requests(self, method: str | None = None) -> list[str]:
        """Return what it was asked."""
        found: list[str] = ask("GET", f"{self.url}/$log").json()
        return [one for one in found if method is None or one.startswith(method)]

    def study(self, uid: str) -> dict[str, Any] | None:
        """Return the ImagingStudy of a UID; fails where there are several."""
        wanted = {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}
        found = [one for one in self.all("ImagingStudy") if wanted in one.get("identifier", ())]
        assert len(found) <= 1, found
        return found[0] if found else None

    def write_over(self, resource: dict[str, Any], elements: dict[str, Any]) -> httpx.Response:
        """Change elements of a resource as somebody else would."""
        meta = {name: value for name, value in resource["meta"].items() if name == "source"}
        sent = {name: value for name, value in resource.items() if name != "meta"} | elements
        return self.send("PUT", f"{resource['resourceType']}/{resource['id']}", sent | ({"meta": meta} if meta else {}))

    def send(self, method: str, path: str, resource: dict[str, Any] | None = None) -> httpx.Response:
        """Write as somebody else would."""
        headers = {"Content-Type": "application/fhir+json", "Authorization": "Bearer granted"}
        url = f"{self.url}/{path}"
        return ask(method, url, json=resource, headers=headers)


def fhir_peer(folder: Path) -> FhirPeer:
    """Return a server that keeps its resources in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return FhirPeer(free_port(), folder)


def instance_uids(study: dict[str, Any] | None) -> Sequence[str]:
    """Return the SOP instance UIDs that an ImagingStudy lists, sorted."""
    series = (study or {}).get("series", ())
    return sorted(one["uid"] for each in series for one in each.get("instance", ()))
