"""Azurite, the emulator of Azure Blob Storage, on a port of its own and with nothing on disk."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx

from tests.support.peers import missing, require
from tests.support.processes import free_port
from tests.support.shared_data import REPOSITORY

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, the same for everyone."""
SCRIPT = Path("work/peers/node_modules/azurite/dist/src/blob/main.js")
START_TIMEOUT_S = 60
API_VERSION = "2021-12-02"


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running emulator."""

    port: int

    @property
    def endpoint(self) -> str:
        """Return the address of its account."""
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """Return what a client connects with."""
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.endpoint};"

    def create_container(self, name: str) -> None:
        """Make a container."""
        answer = self._ask("PUT", f"/{name}", {"restype": "container"})
        assert answer.status_code == httpx.codes.CREATED, answer.text

    def blob(self, container: str, path: str) -> bytes:
        """Return the content of a blob."""
        answer = self._ask("GET", f"/{container}/{path}", {})
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.content

    def put_blob(self, container: str, path: str, content: bytes) -> None:
        """Write a blob."""
        answer = self._ask("PUT", f"/{container}/{path}", {}, content)
        assert answer.status_code == httpx.codes.CREATED, answer.text

    def names(self, container: str) -> list[str]:
        """Return the paths of the blobs of a container."""
        answer = self._ask("GET", f"/{container}", {"comp": "list", "restype": "container"})
        assert answer.status_code == httpx.codes.OK, answer.text
        return [str(name.text) for name in ElementTree.fromstring(answer.text).iter("Name")]  # noqa: S314 - our own emulator's

    def shared_access(self, permissions: str) -> str:
        """Return a shared access signature for the account, as the query of an address."""
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        fields = {
            "sv": API_VERSION,
            "ss": "b",
            "srt": "co",
            "sp": permissions,
            "se": expires.isoformat().replace("+00:00", "Z"),
        }
        text = [ACCOUNT, fields["sp"], fields["ss"], fields["srt"], "", fields["se"], "", "", fields["sv"], "", ""]
        return urlencode({**fields, "sig": _signature("\n".join(text))})

    def _ask(self, method: str, path: str, parameters: dict[str, str], content: bytes = b"") -> httpx.Response:
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": API_VERSION}
        if method == "PUT" and "restype" not in parameters:
            headers["x-ms-blob-type"] = "BlockBlob"
        signed_headers = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        resource = f"/{ACCOUNT}/{ACCOUNT}{path}" + "".join(f"\n{key}:{value}" for key, value in parameters.items())
        length = str(len(content)) if content else ""
        text = f"{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n{signed_headers}{resource}"
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{_signature(text)}"
        return httpx.request(
            method, self.endpoint + path, params=parameters, headers=headers, content=content, trust_env=False
        )


def _signature(text: str) -> str:
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


@contextmanager
def azurite() -> Iterator[Azurite]:
    """Run the emulator for the length of a block."""
    node, script = require("node"), REPOSITORY / SCRIPT
    if not script.is_file():
        missing("azurite is not installed; run scripts/install_peers.sh")
    server = Azurite(free_port())
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen(
        [node, str(script), "--blobHost", "127.0.0.1", "--blobPort", str(server.port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_ready(server, process)
        yield server
    finally:
        process.kill()
        process.wait()


def _wait_ready(server: Azurite, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "azurite ended"
        try:
            httpx.get(server.endpoint, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("azurite did not start in time")
