"""A FHIR server made of Medplum's router: somebody else's idea of transactions, conditions and searches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.peers import missing, require
from tests.support.processes import answers_ok, free_port, running
from tests.support.shared_data import REPOSITORY

FOLDER = REPOSITORY / "work/peers/medplum"
PROGRAM = Path(__file__).with_name("medplum_server.mjs")


@dataclass(frozen=True, slots=True)
class Medplum:
    """A running server."""

    url: str

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return its resources of a kind."""
        answer = httpx.get(f"{self.url}/{kind}", params={"_count": 100}, trust_env=False)
        return [one["resource"] for one in answer.json().get("entry", ())]

    def send(self, method: str, path: str, resource: dict[str, Any] | None = None) -> httpx.Response:
        """Write as somebody else would."""
        headers = {"Content-Type": "application/fhir+json"}
        return httpx.request(method, f"{self.url}/{path}", json=resource, headers=headers, trust_env=False)


@contextmanager
def medplum(folder: Path) -> Iterator[Medplum]:
    """Run the server for the length of a block; what it has ends with it."""
    node = require("node")
    if not (FOLDER / "node_modules/@medplum/fhir-router").is_dir():
        missing("Medplum's router is not installed; run scripts/install_peers.sh")
    port = free_port()
    url = f"http://127.0.0.1:{port}/fhir"
    with running([node, str(PROGRAM), str(port), str(FOLDER)], log_path=folder / "medplum.log") as process:
        process.wait_until(lambda: answers_ok(f"{url}/metadata"))
        yield Medplum(url)
