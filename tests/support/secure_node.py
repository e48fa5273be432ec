"""A node that asks for evidence, over https with a certificate of its own authority."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.command_line import PROGRAM, CommandLine
from tests.support.processes import Process, answers_ok, free_port, running

AUDIENCE = "https://dicom.healthcareapis.azure.com"
JSON = "application/dicom+json"


@dataclass(frozen=True, slots=True)
class Registration:
    """An application that was registered at a node."""

    tenant_id: str
    client_id: str
    object_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class SecureNode:
    """A running node, and its operator's command line."""

    process: Process
    base_url: str
    data_dir: Path
    authority: Path
    """The certificate that clients must trust."""
    commands: CommandLine

    def operate(self, *arguments: str | Path, answer: str = "") -> str:
        """Run a command of the operator's on the data folder, which must end well."""
        return self.commands.must(*arguments, "--data-dir", self.data_dir, answer=answer)

    def register(self, name: str, *arguments: str) -> Registration:
        """Register an application."""
        document = json.loads(self.operate("app", "register", name, "--json", *arguments))
        return Registration(
            document["tenant_id"], document["client_id"], document["object_id"], document.get("secret", "")
        )

    def tls(self) -> ssl.SSLContext:
        """Return a context that trusts the node."""
        return ssl.create_default_context(cafile=self.authority)

    @contextmanager
    def client(self, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
        """Return a client that trusts the node and follows no redirect."""
        with httpx.Client(
            base_url=self.base_url, verify=self.tls(), trust_env=False, headers=headers, timeout=60
        ) as client:
            yield client

    def token(self, one: Registration) -> str:
        """Return a token as a client of Entra's version 2.0 gets it."""
        with self.client() as client:
            answer = client.post(
                f"/{one.tenant_id}/oauth2/v2.0/token",
                data={
                    "grant_type": "client_credentials",
                    "client_id": one.client_id,
                    "client_secret": one.secret,
                    "scope": f"{AUDIENCE}/.default",
                },
            )
        assert answer.status_code == httpx.codes.OK, answer.text
        token: str = answer.json()["access_token"]
        return token


@contextmanager
def serve_securely(
    folder: Path, *, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[SecureNode]:
    """Run `isocenter serve --https` with authentication on loopback until the block ends; SIGTERM must end it well."""
    data_dir, authority = folder / "data", folder / "ca.pem"
    folder.mkdir(parents=True, exist_ok=True)
    commands = CommandLine(folder / "state")
    commands.must("certificate", "export", "-o", authority, "--data-dir", data_dir)
    port, probe = free_port(), free_port()
    command = [
        PROGRAM,
        "serve",
        "--data-dir",
        str(data_dir),
        "--https",
        f"127.0.0.1:{port}",
        "--http",
        f"127.0.0.1:{probe}",
        "--auth",
        "required",
        *arguments,
    ]
    with running(command, log_path=folder / "node.log", environment=environment) as process:
        node = SecureNode(process, f"https://localhost:{port}", data_dir, authority, commands)
        process.wait_until(lambda: answers_ok(f"http://127.0.0.1:{probe}/health/ready"))
        yield node
        code = process.terminate()
        assert code == 0, process.log()
        assert "Traceback" not in process.log(), process.log()
