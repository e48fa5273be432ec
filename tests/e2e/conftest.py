"""One node for all tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tests.support.described_answers import OF_OURS, check_described
from tests.support.processes import Node, serve


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Return a running node, shared by the tests of a module."""
    with serve(tmp_path_factory.mktemp("node") / "data") as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def answers_as_described() -> Iterator[None]:
    """Hold every answer of a node that a test gets by httpx against what its route is described to give."""
    send = httpx.Client.send

    def send_and_check(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        answer = send(client, request, **options)
        if OF_OURS in answer.headers:
            path = unquote(request.url.raw_path.decode().partition("?")[0])
            has_content = answer.headers.get("content-length") != "0"
            check_described(
                request.method, path, status=answer.status_code, headers=answer.headers, has_content=has_content
            )
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx.Client, "send", send_and_check)
        yield
