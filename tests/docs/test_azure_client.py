"""The page for clients of Azure's service is true: its three lines are run against a node."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.support.secure_node import JSON, serve_securely
from tests.support.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs/how-to/azure-client.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"\bisocenter ([a-z]+) [a-z]", PAGE, re.MULTILINE)


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_three_lines_give_a_token_that_the_node_takes(tmp_path: Path) -> None:
    with serve_securely(tmp_path) as node:
        one = node.register("my-client", "--role", "owner")
        code = _block("python")
        for written, real in (
            ("TENANT", one.tenant_id),
            ("CLIENT", one.client_id),
            ("SECRET", one.secret),
            ("https://localhost:8443", node.base_url),
            ("isocenter-ca.pem", str(node.authority)),
        ):
            assert written in code
            code = code.replace(written, real)
        values: dict[str, object] = {}
        exec(compile(code, "azure-client.md", "exec"), values)  # noqa: S102 - the page of our own documentation
        with node.client({"Authorization": f"Bearer {values['token']}", "Accept": JSON}) as client:
            assert client.get("/v2/studies").status_code == httpx.codes.NO_CONTENT


def test_the_identifiers_of_an_existing_client_can_be_kept(tmp_path: Path) -> None:
    lines = re.findall(r"^isocenter tenant add .*$|^isocenter app register .*\\\n.*$", PAGE, re.MULTILINE)
    (tmp_path / "secret.txt").write_text("the secret that the client has\n")
    with serve_securely(tmp_path / "node") as node:
        for line in lines:
            words = line.replace("\\\n", " ").replace("secret.txt", str(tmp_path / "secret.txt")).split()[1:]
            node.operate(*words)
        listed = node.operate("app", "list")
    assert "0c6a2f0e-52a1-4a0c-8d2a-3f6f0a9f1b22" in listed
    assert "contoso.example" in listed


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_of_the_page_is_there(command: str) -> None:
    reference = (REPOSITORY / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert f"## `isocenter {command}" in reference
