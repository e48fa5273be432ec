"""A node that routes, as tests see it: its JSON, its listeners, what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from isocenter.dicom.part10 import read_encoding
from isocenter.dimse.message.messages import CStoreRsp
from tests.support.dicomweb import client
from tests.support.processes import Node, serve
from tests.support.raw_peer import associate_rq, associated, store_rq
from tests.support.small_instances import SmallInstance

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class RoutingNode:
    """A running node with channels."""

    node: Node

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        """Send a request to the JSON of the router."""
        url = f"{self.node.base_url}/api/router{path}"
        if method == "GET":
            return client().get(url, **options)
        return client().request(method, url, json={} if body is None else body, **options)

    def get(self, path: str) -> Any:
        """Return what a path of the JSON has."""
        answer = self.ask("GET", path)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def must(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer to a request that must end well."""
        answer = self.ask(method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    def counters(self, channel: str) -> dict[str, Any]:
        """Return the counters of a channel, which add up whenever they are looked at."""
        found: dict[str, Any] = self.get(f"/channels/{channel}")["counters"]
        assert found["adds_up"], found
        return found

    def wait_settled(self, channel: str, received: int) -> dict[str, Any]:
        """Return the counters of a channel once so many deliveries began and none waits."""

        def is_settled() -> bool:
            counters = self.counters(channel)
            return bool(counters["received"] >= received and counters["waiting"] == 0)

        self.node.process.wait_until(is_settled)
        return self.counters(channel)


@contextmanager
def routing_node(folder: Path, configuration: str, *arguments: str) -> Iterator[RoutingNode]:
    """Run a node on a configuration of channels for the length of a block."""
    file = folder / "channels.toml"
    if not file.exists():
        file.write_text(configuration)
    given = ("--auth", "off", "--set", f"routing.configuration={file}", *arguments)
    with serve(folder / "data", arguments=given) as node:
        yield RoutingNode(node)


def dataset_of(content: bytes) -> bytes:
    """Return the data set of a file."""
    return content[read_encoding(content)[1] :]


def send(port: int, *instances: SmallInstance, called: str, calling: str = "CT1") -> list[int]:
    """Send instances over one association and return the statuses."""

    async def store() -> list[int]:
        statuses: list[int] = []
        request = associate_rq((CT, EXPLICIT), called=called, calling=calling)
        async with associated(port, request) as peer:
            for number, one in enumerate(instances, start=1):
                command = store_rq(one.identifier.sop_instance_uid, message_id=number)
                await peer.send_message(1, command, dataset_of(one.content))
                response = (await peer.message()).message
                assert isinstance(response, CStoreRsp)
                statuses.append(response.status)
            await peer.release()
        return statuses

    return asyncio.run(store())


def files_below(folder: Path) -> Sequence[Path]:
    """Return the files of a folder and those below it."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
